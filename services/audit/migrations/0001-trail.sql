-- The plain table is replaced: leaves, tree and sealed details are made anew from the producers' logs.
drop table if exists entries;

-- A number stands in the trail once: ranges of one incarnation have no number in common.
create index if not exists taken_by_range on taken (producer, incarnation, first);

-- Who owns the details must know which trail is whose, for the view below.
grant select on trails to audit_anonymizer;
alter table trails enable row level security;
drop policy if exists anonymizer_reads on trails;
create policy anonymizer_reads on trails for select to audit_anonymizer using (true);

set local role audit_anonymizer;

-- The server keeps no sample of any column: neither of the parent nor of a partition.
create or replace function no_statistics(relation regclass) returns void
language plpgsql set search_path = public, pg_temp as $f$
declare one record;
begin
  for one in select attname from pg_attribute
      where attrelid = relation and attnum > 0 and not attisdropped loop
    execute format('alter table %s alter column %I set statistics 0', relation, one.attname);
  end loop;
end $f$;
revoke all on function no_statistics(regclass) from public;
select no_statistics('audit_detail');

-- Makes the partition of a day; the writer may call it and owns nothing of what it makes. Attaching
-- waits for nobody who reads or enters, and nobody waits for it.
create or replace function make_detail_day(day bigint) returns void
language plpgsql security definer set search_path = public, pg_temp as $f$
declare
  name text := format('audit_detail_%s', day);
  today bigint := floor(extract(epoch from now()) / 86400);
begin
  if day < 0 or day > today + 7 then
    raise exception 'day % is not one of the trail''s', day;
  end if;
  perform pg_advisory_xact_lock(4712);
  -- Not to_regclass, which remembers what was not there before the wait.
  if not exists (select 1 from pg_class
      where relname = name and relnamespace = 'public'::regnamespace) then
    execute format('create table %I (like audit_detail including defaults including constraints)',
      name);
    perform no_statistics(name::regclass);
    execute format('alter table audit_detail attach partition %I for values in (%s)', name, day);
  end if;
end $f$;
revoke all on function make_detail_day(bigint) from public;
grant execute on function make_detail_day(bigint) to audit_system;

-- What a caller sees: the details of the one organization that the connection is for. Compared so
-- that no index fits: without statistics the planner would take this for the rarest condition.
create or replace view details as
  select d.* from audit_detail d where uuid_send(d.trail) =
    uuid_send((select t.trail from trails t where t.org = current_setting('app.org', true)));
grant select on details to audit_reader;

set local role audit_owner;
