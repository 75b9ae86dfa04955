-- Only the signer writes receipts. The anonymizer looks up what is to be forgotten, and by whom it was
-- signed that its time is over.
grant select, insert on receipts to audit_signer;
grant select on forget_ledger, digests to audit_anonymizer;

set local role audit_anonymizer;

insert into detail_days
  select substr(c.relname, length('audit_detail_') + 1)::bigint
  from pg_inherits i join pg_class c on c.oid = i.inhrelid
  where i.inhparent = 'audit_detail'::regclass
on conflict do nothing;

-- As before, and notes that there is such a day.
create or replace function make_detail_day(day bigint) returns void
language plpgsql security definer set search_path = public, pg_temp as $f$
declare
  name text := format('audit_detail_%s', day);
  today bigint := floor(extract(epoch from wall_clock()) / 86400);
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
    insert into detail_days values (make_detail_day.day) on conflict do nothing;
  end if;
end $f$;

-- Drops the details of one day; the writer may call it and owns nothing of what it drops. Both must
-- say so: the ledger, which the writer writes, and a digest of the day's ninetieth day or later,
-- which only the signer can write. Whoever is in the way is not waited for: the caller tries again.
create or replace function drop_detail_day(day bigint) returns boolean
language plpgsql security definer set search_path = public, pg_temp set lock_timeout = '50ms' as $f$
declare
  name text := format('audit_detail_%s', day);
  spelled text := to_char(date '1970-01-01' + day::int, 'YYYY-MM-DD');
begin
  if not exists (select 1 from forget_ledger l where l.kind = 'day' and l.subject = spelled)
    or not exists (select 1 from digests d where extract(epoch from d.to_at) >= (day + 90) * 86400)
  then
    raise exception 'day % is not to be forgotten', spelled;
  end if;
  if not exists (select 1 from pg_class
      where relname = name and relnamespace = 'public'::regnamespace) then
    return false;
  end if;
  execute format('drop table if exists %I', name);  -- another process may have been first
  return true;
end $f$;
revoke all on function drop_detail_day(bigint) from public;
grant execute on function drop_detail_day(bigint) to audit_system;

set local role audit_owner;
