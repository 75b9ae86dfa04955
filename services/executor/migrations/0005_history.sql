-- What is hidden says from when on its events may leave the log; a day and an hour after the start,
-- as before, for what somebody forgot.
do $migrate$ begin
  if not exists (select 1 from information_schema.columns
      where table_name = 'forgotten' and column_name = 'leaves_at') then
    alter table forgotten add column leaves_at timestamptz;
    alter table forgotten no force row level security;  -- the rights come after
    update forgotten set leaves_at = started_at + interval '25 hours';
    alter table forgotten alter column leaves_at set not null;
  end if;
end $migrate$;
drop index if exists forgotten_by_start;
create index if not exists forgotten_in_order on forgotten (leaves_at);

-- Events that belong to no execution, or came after it had left, are found by their time.
create index if not exists log_loose on log (org, at)
  where type in ('executor.event.custom-event-emitted', 'executor.event.late-result-refused');

-- What has left is a dead row until the table is vacuumed: after hours of leaving, not after days.
alter table log set (autovacuum_vacuum_scale_factor = 0.02);
alter table executions set (autovacuum_vacuum_scale_factor = 0.02);
alter table execution_labels set (autovacuum_vacuum_scale_factor = 0.02);
alter table calls set (autovacuum_vacuum_scale_factor = 0.02);
