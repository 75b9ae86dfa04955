-- Whoever is to end because of a commit is asked in that commit, so that a process that dies behind
-- it leaves nobody running: executions of a key with `cancel-running`, and awaited sub-workflows of
-- a branch that was cancelled.
-- In `starts`, `evict` is the event that asks them, without stream and version: the oldest of the
-- key, so many that the start fits. In `sides`, `cancels` are such events with their streams.
-- Answers besides rows (cancelled, stream of who asked, 0, execution).
alter function append_executions(json, json, json, json) rename to commit_executions;

-- One execution is asked to end; false when it has ended, or was asked before.
create or replace function cancel_execution(one text, event json) returns bool
language plpgsql security definer set search_path = public, pg_temp as $f$
declare last int;
begin
  if not exists (select 1 from timers t where t.execution = one and t.org = event ->> 'org') then
    return false;
  end if;
  perform 1 from log l where l.stream = event ->> 'stream' and l.type = event ->> 'type';
  if found then
    return false;
  end if;
  select l.version into last from log l where l.stream = event ->> 'stream'
    order by l.version desc limit 1;
  perform append(0::smallint, json_build_array(event::jsonb || jsonb_build_object(
    'version', last + 1,
    -- the time of the id that was given, and a random rest: one event may ask several
    'id', overlay(gen_random_uuid()::text placing left(event ->> 'id', 15) from 1))));
  update timers t set due_at = least(t.due_at, now()), entered = true where t.execution = one;
  return true;
end $f$;

create or replace function append_executions(batch json, sides json, starts json, made json)
returns table (kind text, stream text, n bigint, extra text)
language plpgsql security definer set search_path = public, pg_temp as $f$
#variable_conflict use_column
declare won text[] := '{}'; said record; one record; older text;
begin
  if position('"cancels":[' in sides::text) = 0 and position('"evict":{' in starts::text) = 0 then
    return query select * from commit_executions(batch, sides, starts, made);
    return;
  end if;
  for said in select * from commit_executions(batch, sides, starts, made) loop
    if said.kind = 'won' then
      won := won || said.stream;
    end if;
    return query select said.kind, said.stream, said.n, said.extra;
  end loop;
  for one in select s.stream, c.execution, c.event from json_to_recordset(sides)
      as s(stream text, cancels json), json_to_recordset(s.cancels) as c(execution text, event json)
    where s.stream = any(won) order by s.stream, c.execution
  loop
    if cancel_execution(one.execution, one.event) then
      return query select 'cancelled'::text, one.stream, 0::bigint, one.execution;
    end if;
  end loop;
  for one in select s.* from json_to_recordset(starts) as s(stream text, execution text, org text,
      ckey text, climit bigint, evict jsonb)
    where s.evict is not null and s.stream = any(won) order by s.stream
  loop
    -- whoever is there came before, but for the starts of this very statement that come behind
    for older in with before as (select t.execution, t.since from timers t
          where t.org = one.org and t.ckey = one.ckey and not t.execution in (select s.execution
            from json_to_recordset(starts) as s(stream text, execution text)
            where s.stream >= one.stream))
      select b.execution from before b order by b.since, b.execution
      limit (select greatest(0, count(*) + 1 - one.climit) from before)
    loop
      if cancel_execution(older, (one.evict || jsonb_build_object('stream',
          'execution-' || one.org || '-' || older))::json) then
        return query select 'cancelled'::text, one.stream, 0::bigint, older;
      end if;
    end loop;
  end loop;
end $f$;
