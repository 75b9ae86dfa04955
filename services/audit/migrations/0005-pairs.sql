-- Several filters that each fit many entries of a day: where all fit is found by an index on all of
-- them. It is made when the day is over, so it costs nothing while the day is entered; what is equal
-- shares one entry of it. One index per call, the newest day first; whoever is in the way is not
-- waited for. A day of more than half a gigabyte (some 700,000 entries) gets none: a late event of
-- that day waits while one is made.
set local role audit_anonymizer;

create or replace function make_pair_index() returns boolean
language plpgsql security definer set search_path = public, pg_temp set lock_timeout = '50ms' as $f$
declare
  today bigint := floor(extract(epoch from wall_clock()) / 86400);
  missing record;
begin
  perform pg_advisory_xact_lock(4713);
  with days as materialized (
    select c.relname as name, substr(c.relname, length('audit_detail_') + 1)::bigint as day
    from pg_inherits i join pg_class c on c.oid = i.inhrelid
    where i.inhparent = 'audit_detail'::regclass and pg_relation_size(c.oid) < 512 * 1024 * 1024
  ), wanted as (
    select days.name as day_of, days.day, of_all.columns,
      days.name || '_' || replace(of_all.columns, ', ', '_') as name
    from days cross join (values ('type, outcome'), ('actor, outcome'), ('actor, type, outcome'),
      ('address, outcome'), ('address, type, outcome')) as of_all(columns)
    where days.day < today
  )
  select w.* into missing from wanted w
    where not exists (select 1 from pg_class x
      where x.relname = w.name and x.relnamespace = 'public'::regnamespace)
    order by w.day desc, w.name limit 1;
  if missing.name is null then
    return false;
  end if;
  execute format('create index %I on %I (%s)', missing.name, missing.day_of, missing.columns)
    || case when missing.columns like 'address%' then ' where address is not null' else '' end;
  return true;
exception when lock_not_available then
  return false;
end $f$;
revoke all on function make_pair_index() from public;
grant execute on function make_pair_index() to audit_system;

set local role audit_owner;
