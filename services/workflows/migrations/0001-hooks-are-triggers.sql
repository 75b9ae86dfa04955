-- The paths of hooks stand in the table of all triggers, which is made from the log.
drop table if exists hooks;
