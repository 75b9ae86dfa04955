-- Counts say since when they are gathered, where from, and which request was the first.
alter table access_counts add column if not exists since timestamptz not null default now();
alter table refused_sign_ins add column if not exists since timestamptz not null default now();
alter table access_counts add column if not exists origin text;
alter table access_counts add column if not exists request_id text;
alter table refused_sign_ins add column if not exists origin text;
alter table refused_sign_ins add column if not exists request_id text;
alter table refused_sign_ins add column if not exists address text not null default '';
alter table refused_sign_ins drop constraint refused_sign_ins_pkey;
alter table refused_sign_ins add primary key (email_index, reason, minute, address);
