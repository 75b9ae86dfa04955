-- Who asks for long work is told with where from, also when a piece is carried out later.
alter table operations add column if not exists origin text;
