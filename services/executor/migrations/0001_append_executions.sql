-- Group commit of the executor: decisions of many executions, and what goes with those that won.
-- `sides`: one row per stream: {stream, execution, org, op, due_s, lease_s, owner, reply, wait_s}
--   op 'keep' writes the timer, 'end' deletes it, 'wake' makes it due, 'none' leaves it alone.
-- `starts`: {stream, org, month, allowed} for new executions that count against the quota.
-- Answers rows (kind, stream, n, extra): won, quota (refused), queued (no place), reply (an inbox).
create or replace function append_executions(batch json, sides json, starts json, made json)
returns table (kind text, stream text, n bigint, extra text)
language plpgsql security definer set search_path = public, pg_temp as $f$
#variable_conflict use_column
declare
  refused text[] := '{}';
  free bigint;
  org_row record;
  winners text[];
  numbers bigint[];
begin
  perform 1 from heads h where h.partition = 0 for update;
  for org_row in
    select s.org, s.month, max(s.allowed) allowed, array_agg(s.stream order by s.stream) streams
    from json_to_recordset(starts) as s(stream text, org text, month text, allowed bigint)
    -- by the index, also where the planner would rather read a short log whole
    where (select l.version from log l where l.stream = s.stream order by l.version limit 1) is null
    group by s.org, s.month order by s.org
  loop
    insert into quota (org, month, used) values (org_row.org, org_row.month, 0)
      on conflict do nothing;
    select greatest(0, org_row.allowed - q.used) into free from quota q
      where q.org = org_row.org and q.month = org_row.month for update;
    update quota q set used = q.used + least(free, cardinality(org_row.streams))
      where q.org = org_row.org and q.month = org_row.month;
    refused := refused || org_row.streams[free + 1:];
  end loop;
  if refused <> '{}' then
    batch := coalesce((select json_agg(e) from json_array_elements(batch) e
      where not (e ->> 'stream' = any(refused))), '[]');
  end if;
  select array_agg(a.won), array_agg(a.last_n) into winners, numbers
    from append(0::smallint, batch, made) a;
  winners := coalesce(winners, '{}');
  return query select 'quota'::text, r, 0::bigint, null::text from unnest(refused) r;
  return query select 'won'::text, w, coalesce(m, 0), null::text from unnest(winners, numbers) u(w, m);
  -- Without events only the timer moves, and only while the sender holds it.
  return query
  with bare as (update timers t set due_at = now() + make_interval(secs => s.due_s),
      leased_until = now() + make_interval(secs => s.lease_s),
      owner = case when s.lease_s > 0 then s.owner end
    from json_to_recordset(sides) as s(stream text, execution text, due_s float8, lease_s float8,
      owner text, bare bool)
    where s.bare and t.execution = s.execution and t.owner = s.owner returning s.stream)
  select 'won'::text, b.stream, 0::bigint, null::text from bare b;
  return query
  with s as materialized (select * from json_to_recordset(sides) as r(stream text, execution text,
      org text, op text, due_s float8, lease_s float8, owner text, reply text, wait_s float8)
      where r.stream = any(winners)),
    ended as (delete from timers t using s where s.op = 'end' and t.execution = s.execution),
    woken as (update timers t set due_at = least(t.due_at, now()) from s
      where s.op = 'wake' and t.execution = s.execution),
    busy as (select t.org, count(*) held from timers t
      where t.leased_until > now() and t.org in (select s.org from s where s.op = 'keep')
      group by t.org),
    fresh as (select s.*, row_number() over (partition by s.org order by s.stream) place
      from s where s.op = 'keep' and s.lease_s > 0
      and not exists (select 1 from timers t where t.execution = s.execution)),
    full_orgs as (select f.execution from fresh f
      left join busy b on b.org = f.org left join entitlements e on e.org = f.org
      where f.place + coalesce(b.held, 0) > coalesce(e.running_max, 5)),
    kept as (insert into timers as t (execution, org, due_at, leased_until, owner, epoch)
      select s.execution, s.org, now() + make_interval(secs => s.due_s),
        now() + make_interval(secs => case when q.execution is null then s.lease_s else 0 end),
        case when q.execution is null and s.lease_s > 0 then s.owner end, 1
      from s left join full_orgs q on q.execution = s.execution where s.op = 'keep'
      on conflict (execution) do update set due_at = excluded.due_at,
        leased_until = excluded.leased_until, owner = excluded.owner),
    joined as (insert into replies (execution, org, inbox, until)
      select s.execution, s.org, s.reply, now() + make_interval(secs => s.wait_s) from s
      where s.reply is not null and s.op <> 'end' on conflict do nothing),
    answered as (delete from replies r using s
      where s.op = 'end' and r.execution = s.execution returning s.stream, r.inbox)
  select 'reply'::text, a.stream, 0::bigint, a.inbox from answered a
  union all select 'queued'::text, s.stream, 0::bigint, null::text
    from s join full_orgs q on q.execution = s.execution;
end $f$;
