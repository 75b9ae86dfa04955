-- Places of concurrency keys, rates and debounce are given under the lock on the log's head, so that
-- two processes never both see the last free place; priority orders the claim.
-- `sides`: one row per stream: {stream, execution, org, op, due_s, lease_s, owner, reply, wait_s,
--   bare, version, closes, parent}; op 'keep' writes the timer, 'end' deletes it, 'wake' makes it due, 'cancel' also
--   when it has no place yet, 'due' makes it due in due_s, 'none' leaves it alone; closes ends the
--   gathering of inputs; the parent of one that ends is made due.
-- `starts`: {stream, execution, org, month, allowed, priority, ckey, climit, cthen, rkey, rlimit,
--   rper_s, rthen, dkey, dwindow_s}; month null: not counted. Keys are keyed digests.
-- Answers rows (kind, stream, n, extra): won, quota | busy | rate (refused), collected (by the
-- execution in extra), queued (no place yet), reply (an inbox), admitted (others are due now).
do $migrate$ begin
  if not exists (select 1 from information_schema.columns
      where table_name = 'timers' and column_name = 'entered') then
    alter table timers add column entered boolean not null default true;
    alter table timers add column ckey text;
    alter table timers add column climit bigint;
    alter table timers add column priority bigint not null default 0;
    alter table timers add column since timestamptz not null default now();
    alter table timers add column nudged boolean not null default false;
    alter table timers drop column ready_at;
    alter table timers add column ready_at timestamptz not null generated always as
      (case when entered then greatest(due_at, leased_until) else 'infinity' end) stored;
    create index timers_ready on timers (ready_at);
    create index timers_by_org on timers (org, priority, ready_at);
    create index timers_by_key on timers (org, ckey, since) where ckey is not null;
  end if;
end $migrate$;

-- One start that has keys: null when it may be, else why not. Its timer is written here.
create or replace function admit_execution(s json)
returns table (kind text, extra text)
language plpgsql set search_path = public, pg_temp as $f$
#variable_conflict use_column
declare
  s_org text := s ->> 'org'; s_execution text := s ->> 'execution';
  ck text := s ->> 'ckey'; rk text := s ->> 'rkey'; dk text := s ->> 'dkey';
  other text; free bool := true; earliest timestamptz := now(); slot timestamptz; nr bigint;
begin
  if dk is not null then
    insert into collecting (org, key, execution) values (s_org, dk, s_execution)
      on conflict do nothing;
    select c.execution into other from collecting c where c.org = s_org and c.key = dk;
    if other <> s_execution then
      return query select 'collected'::text, other;
      return;
    end if;
    earliest := now() + make_interval(secs => (s ->> 'dwindow_s')::float8);
  end if;
  if ck is not null then
    free := (select count(*) from timers t where t.org = s_org and t.ckey = ck)
      < (s ->> 'climit')::bigint;
    if not free and s ->> 'cthen' = 'reject' then
      delete from collecting c where c.org = s_org and c.key = dk;
      return query select 'busy'::text, null::text;
      return;
    end if;
  end if;
  if rk is not null then
    insert into rates (org, key) values (s_org, rk) on conflict do nothing;
    select r.n, r.at[r.n % (s ->> 'rlimit')::bigint + 1] into nr, slot from rates r
      where r.org = s_org and r.key = rk for update;
    slot := greatest(now(), slot + make_interval(secs => (s ->> 'rper_s')::float8));
    if slot > now() and s ->> 'rthen' = 'reject' then
      delete from collecting c where c.org = s_org and c.key = dk;
      return query select 'rate'::text, null::text;
      return;
    end if;
    update rates set n = nr + 1, at[(nr % (s ->> 'rlimit')::bigint + 1)::int] = slot
      where org = s_org and key = rk;
    earliest := greatest(earliest, slot);
  end if;
  insert into timers (execution, org, due_at, leased_until, epoch, entered, ckey, climit, priority)
    values (s_execution, s_org, earliest, '-infinity', 0, free, ck, (s ->> 'climit')::bigint,
      (s ->> 'priority')::bigint);
  if not free or earliest > now() then
    return query select 'held'::text, null::text;
  end if;
end $f$;

create or replace function append_executions(batch json, sides json, starts json, made json)
returns table (kind text, stream text, n bigint, extra text)
language plpgsql security definer set search_path = public, pg_temp as $f$
#variable_conflict use_column
declare
  refused text[] := '{}'; held text[] := '{}'; fresh text[]; said record; free bigint;
  org_row record; one json; winners text[]; numbers bigint[]; freed record;
begin
  perform 1 from heads h where h.partition = 0 for update;
  -- by the index, also where the planner would rather read a short log whole
  select coalesce(array_agg(s.stream), '{}') into fresh
    from json_to_recordset(starts) as s(stream text)
    where (select l.version from log l where l.stream = s.stream order by l.version limit 1) is null;
  for one in select e from json_array_elements(starts) e
    where coalesce(e ->> 'ckey', e ->> 'rkey', e ->> 'dkey') is not null
      and e ->> 'stream' = any(fresh) order by e ->> 'stream'
  loop
    for said in select a.kind, a.extra from admit_execution(one) a loop
      if said.kind = 'held' then
        held := held || (one ->> 'stream');
      else
        refused := refused || (one ->> 'stream');
        return query select said.kind, one ->> 'stream', 0::bigint, said.extra;
      end if;
    end loop;
  end loop;
  for org_row in
    select s.org, s.month, max(s.allowed) allowed, array_agg(s.stream order by s.stream) streams
    from json_to_recordset(starts) as s(stream text, org text, month text, allowed bigint)
    where s.month is not null and s.stream = any(fresh) and not s.stream = any(refused)
    group by s.org, s.month order by s.org
  loop
    insert into quota (org, month, used) values (org_row.org, org_row.month, 0)
      on conflict do nothing;
    select greatest(0, org_row.allowed - q.used) into free from quota q
      where q.org = org_row.org and q.month = org_row.month for update;
    update quota q set used = q.used + least(free, cardinality(org_row.streams))
      where q.org = org_row.org and q.month = org_row.month;
    if free < cardinality(org_row.streams) then
      refused := refused || org_row.streams[free + 1:];
      return query select 'quota'::text, r, 0::bigint, null::text
        from unnest(org_row.streams[free + 1:]) r;
      delete from timers t using json_to_recordset(starts) as s(stream text, execution text)
        where s.stream = any(org_row.streams[free + 1:]) and t.execution = s.execution;
      delete from collecting c using json_to_recordset(starts) as s(stream text, execution text)
        where s.stream = any(org_row.streams[free + 1:]) and c.org = org_row.org
          and c.execution = s.execution;
    end if;
  end loop;
  if refused <> '{}' then
    batch := coalesce((select json_agg(e) from json_array_elements(batch) e
      where not (e ->> 'stream' = any(refused))), '[]');
  end if;
  select array_agg(a.won), array_agg(a.last_n) into winners, numbers
    from append(0::smallint, batch, made) a;
  winners := coalesce(winners, '{}');
  return query select 'won'::text, w, coalesce(m, 0), null::text from unnest(winners, numbers) u(w, m);
  -- Without events only the timer moves, only while the sender holds it and knows all that came.
  return query
  with bare as (update timers t set nudged = false,
      due_at = case when t.nudged then now() else now() + make_interval(secs => s.due_s) end,
      leased_until = now() + make_interval(secs => s.lease_s),
      owner = case when s.lease_s > 0 then s.owner end
    from json_to_recordset(sides) as s(stream text, execution text, due_s float8, lease_s float8,
      owner text, bare bool, version int)
    where s.bare and t.execution = s.execution and t.owner = s.owner
      and s.version = (select l.version from log l where l.stream = s.stream
        order by l.version desc limit 1)
    returning s.stream)
  select 'won'::text, b.stream, 0::bigint, null::text from bare b;
  for freed in
    with gone as (delete from timers t using json_to_recordset(sides)
        as s(stream text, execution text, op text)
      where s.op = 'end' and s.stream = any(winners) and t.execution = s.execution
      returning t.org, t.ckey)
    select g.org, g.ckey from gone g where g.ckey is not null group by 1, 2 order by 1, 2
  loop
    update timers t set entered = true, due_at = greatest(t.due_at, now())
      where t.execution in (select w.execution from timers w
        where w.org = freed.org and w.ckey = freed.ckey and not w.entered
        order by w.since, w.execution
        limit (select greatest(0, max(c.climit) - count(*) filter (where c.entered)) from timers c
          where c.org = freed.org and c.ckey = freed.ckey));
    return query select 'admitted'::text, winners[1], 0::bigint, null::text;
  end loop;
  -- Who waits for one that ended is due; if it runs just now, it is due again when it parks.
  if position('"parent":"' in sides::text) > 0 then
    update timers t set due_at = least(t.due_at, now()), nudged = true
      from json_to_recordset(sides) as s(stream text, op text, parent text)
      where s.op = 'end' and s.stream = any(winners) and t.execution = s.parent;
  end if;
  return query
  with s as materialized (select r.*, r.stream = any(fresh) is_new, r.stream = any(held) is_held
      from json_to_recordset(sides) as r(stream text, execution text, org text, op text,
        due_s float8, lease_s float8, owner text, reply text, wait_s float8, closes bool)
      where r.stream = any(winners)),
    moved as (update timers t set
        due_at = case when s.op = 'due' then now() + make_interval(secs => s.due_s)
          else least(t.due_at, now()) end,
        entered = t.entered or s.op = 'cancel'
      from s where s.op in ('wake', 'cancel', 'due') and t.execution = s.execution),
    closed as (delete from collecting c using s where s.closes and c.org = s.org
      and c.execution = s.execution),
    busy as (select t.org, count(*) held from timers t
      where t.owner is not null and t.leased_until > now()
        and t.org in (select s.org from s where s.op = 'keep' and s.is_new)
      group by t.org),
    begun as (select s.*, row_number() over (partition by s.org order by s.stream) place
      from s where s.op = 'keep' and s.lease_s > 0 and s.is_new and not s.is_held),
    waits as (select f.execution from begun f
      left join busy b on b.org = f.org left join entitlements e on e.org = f.org
      where f.place + coalesce(b.held, 0) > coalesce(e.running_max, 5)
      union all select s.execution from s where s.is_held and s.op = 'keep'),
    p as (select r.stream, r.priority from json_to_recordset(starts) as r(stream text,
      priority bigint)),
    kept as (insert into timers as t (execution, org, due_at, leased_until, owner, epoch, priority)
      select s.execution, s.org, now() + make_interval(secs => s.due_s),
        now() + make_interval(secs => case when q.execution is null then s.lease_s else 0 end),
        case when q.execution is null and s.lease_s > 0 then s.owner end, 1,
        coalesce(p.priority, 0)
      from s left join waits q on q.execution = s.execution left join p on p.stream = s.stream
      where s.op = 'keep'
      on conflict (execution) do update set
        due_at = case when t.epoch = 0 then greatest(t.due_at, excluded.due_at)
          when t.nudged and excluded.owner is null then now() else excluded.due_at end,
        nudged = t.nudged and excluded.owner is not null,
        leased_until = excluded.leased_until, owner = excluded.owner, epoch = greatest(t.epoch, 1)),
    joined as (insert into replies (execution, org, inbox, until)
      select s.execution, s.org, s.reply, now() + make_interval(secs => s.wait_s) from s
      where s.reply is not null and s.op <> 'end' on conflict do nothing),
    answered as (delete from replies r using s
      where s.op = 'end' and r.execution = s.execution returning s.stream, r.inbox)
  select 'reply'::text, a.stream, 0::bigint, a.inbox from answered a
  union all select 'queued'::text, s.stream, 0::bigint, null::text
    from s join waits q on q.execution = s.execution;
end $f$;
