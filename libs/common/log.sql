-- The log of a service, its numbers, and what is written in the same statement (systems-rules, "Decided").
create table if not exists log (
  partition smallint not null default 0,
  n bigint not null,
  id uuid not null,
  org text not null,
  stream text not null,
  version int not null,
  type text not null,
  data_version smallint not null,
  at timestamptz not null,
  actor text not null,
  request_id text,
  causation_id text,
  origin text,
  traceparent text,
  data json not null,
  primary key (partition, n),
  unique (stream, version),
  check (split_part(stream, '-', 2) = org)
);
create table if not exists heads (
  partition smallint primary key,
  n bigint not null default 0,
  incarnation int not null default 1
) with (fillfactor = 10);
insert into heads (partition) values (0) on conflict do nothing;
create table if not exists commands (
  org text not null,
  id uuid not null,
  digest text not null,
  stream text not null,
  first int not null,
  last int not null,
  answer text,
  at timestamptz not null default now(),
  primary key (org, id)
);
create index if not exists commands_at on commands (at);
create table if not exists expired (
  partition smallint not null default 0,
  n bigint not null,
  primary key (partition, n)
);
create table if not exists readers (
  name text primary key,
  version int not null default 1,
  incarnation int not null default 0,
  n bigint not null default 0,
  stopped_at bigint,
  error text,
  skip bigint,
  skip_reason text,
  at timestamptz not null default now()
) with (fillfactor = 50);
create table if not exists leases (
  name text primary key,
  owner text not null,
  until timestamptz not null
) with (fillfactor = 20);

-- Writes each decision of a batch whole or not at all, gives every event the next number under the
-- lock on the partition's head, and answers which streams won with their last number.
create or replace function append(p smallint, batch json, made json default '[]')
returns table (won text, last_n bigint)
language plpgsql security definer set search_path = public, pg_temp as $f$
declare base bigint;
begin
  select h.n into base from heads h where h.partition = p for update;
  return query
  with e as materialized (
      select * from json_to_recordset(batch) as r(id uuid, org text, stream text, version int, type text,
        data_version smallint, actor text, request_id text, causation_id text, origin text,
        traceparent text, data json)),
    f as (select e.stream, min(e.version) v from e group by 1),
    winners as materialized (select f.stream from f
      where f.v = 1 + coalesce((select l.version from log l where l.stream = f.stream
        order by l.version desc limit 1), 0)),
    ins as (insert into log (partition, n, id, org, stream, version, type, data_version, at, actor,
        request_id, causation_id, origin, traceparent, data)
      select p, base + row_number() over (order by e.stream, e.version), e.id, e.org, e.stream,
        e.version, e.type, e.data_version, clock_timestamp(), e.actor, e.request_id, e.causation_id,
        e.origin, e.traceparent, e.data
      from e join winners using (stream) returning stream, n),
    up as (update heads set n = base + (select count(*) from ins) where partition = p),
    cmd as (insert into commands (org, id, digest, stream, first, last, answer)
      select c.org, c.id, c.digest, c.stream, c.first, c.last, c.answer
      from json_to_recordset(made) as c(org text, id uuid, digest text, stream text, first int,
        last int, answer text) join winners using (stream))
  select winners.stream, (select max(ins.n) from ins where ins.stream = winners.stream) from winners;
end $f$;

-- A command that decided nothing is remembered too.
create or replace function remember(made json) returns void
language sql security definer set search_path = public, pg_temp as $f$
  insert into commands (org, id, digest, stream, first, last, answer)
  select c.org, c.id, c.digest, c.stream, c.first, c.last, c.answer
  from json_to_recordset(made) as c(org text, id uuid, digest text, stream text, first int,
    last int, answer text)
$f$;

-- Streams whose time is over leave the log whole: those of which no number is above `upto`, up to
-- which everybody has taken them. Their numbers stay known, so that nobody takes them for lost.
create or replace function expire_streams(names text[], upto bigint) returns text[]
language plpgsql security definer set search_path = public, pg_temp as $f$
declare gone text[];
begin
  perform 1 from heads h where h.partition = 0 for update;
  select array_agg(s) into gone from unnest(names) s
    where not exists (select 1 from log l where l.stream = s and l.n > upto);
  with d as (delete from log l where l.stream = any(gone) returning l.partition, l.n)
  insert into expired select d.partition, d.n from d;
  return coalesce(gone, '{}');
end $f$;
