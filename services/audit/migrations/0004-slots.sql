-- Entries are found by time too: which ten minutes of its day, blind as all else. What was entered
-- before has none (0) and is looked at whatever the time.
set local role audit_anonymizer;

alter table audit_detail add column if not exists slot bigint not null default 0;
create index if not exists audit_detail_by_slot on audit_detail (slot, seq);
select no_statistics('audit_detail');
select no_statistics(inhrelid::regclass) from pg_inherits where inhparent = 'audit_detail'::regclass;

create or replace view details as
  select d.* from audit_detail d where uuid_send(d.trail) =
    uuid_send((select t.trail from trails t where t.org = current_setting('app.org', true)));
grant select on details to audit_reader;

set local role audit_owner;
