-- The log of a service, its numbers, and what is written in the same statement (systems-rules, "Decided").

-- The time of day, by which moments are recorded: moved ahead (never back) where the process's clock
-- is, in tests and drills. What only counts seconds from now (leases, timers) takes now().
create or replace function wall_clock() returns timestamptz language sql as $f$
  select pg_catalog.clock_timestamp() + pg_catalog.make_interval(secs => greatest(0,
    coalesce(nullif(pg_catalog.current_setting('troth.clock_offset', true), ''), '0')::float8))
$f$;
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
  at timestamptz not null default wall_clock(),
  primary key (org, id)
);
alter table commands alter column at set default wall_clock();
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
create table if not exists sweeps (
  rule text primary key,
  at timestamptz not null,
  gone bigint not null,
  overdue timestamptz,
  error text
);
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
        e.version, e.type, e.data_version, wall_clock(), e.actor, e.request_id, e.causation_id,
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

-- Streams whose time is over leave the log: those of which no number is above `upto`, up to which
-- everybody has taken them. Their numbers stay known, so that nobody takes them for lost. The log
-- takes nothing in meanwhile, so no more than `most` go at once (an event counts 1, and 1 for each
-- 2 kB that it keeps elsewhere), the oldest of a stream first. `gone` are streams of which nothing
-- is left, `events` is how many went.
drop function if exists expire_streams(text[], bigint);
create or replace function expire_streams(names text[], upto bigint, most int default 500)
returns table (gone text[], events bigint)
language plpgsql security definer set search_path = public, pg_temp as $f$
#variable_conflict use_column
declare taken text[];
begin
  perform 1 from heads h where h.partition = 0 for update;
  select array_agg(s.s order by s.i) into taken from unnest(names) with ordinality s(s, i)
    where coalesce((select l.n from log l where l.stream = s.s order by l.version desc limit 1), 0)
      <= upto;
  -- by place and by the index, also where the planner would rather read the log whole
  with picked as materialized (
      select l.place, row_number() over w k, sum(1 + l.size / 2000) over w weight
      from (select s.i, r.* from unnest(taken) with ordinality s(s, i)
        cross join lateral (select l.ctid place, l.version, pg_column_size(l.data) size
          from log l where l.stream = s.s order by l.version limit most) r
        limit most) l
      window w as (order by l.i, l.version)),
    d as (delete from log l
      where l.ctid = any(array(select p.place from picked p where p.k = 1 or p.weight <= most))
      returning l.partition, l.n),
    e as (insert into expired select d.partition, d.n from d returning 1)
  select count(*) into events from e;
  select coalesce(array_agg(t.t order by t.i), '{}') into gone
    from unnest(taken) with ordinality t(t, i)
    where (select l.version from log l where l.stream = t.t order by l.version limit 1) is null;
  return next;
end $f$;
