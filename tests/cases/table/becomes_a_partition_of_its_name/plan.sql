\set ON_ERROR_STOP on \set ON_ERROR_ROLLBACK off
\set AUTOCOMMIT on \set SINGLELINE off \encoding UTF8
SET standard_conforming_strings = on;
SET search_path = '';
SET check_function_bodies = off;
SET client_min_messages = warning;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
ALTER TABLE public.events RENAME TO events_old;
CREATE TABLE public.events (
    id bigint DEFAULT nextval('public.ev_seq'::regclass) CONSTRAINT events_id_not_null NOT NULL,
    at timestamp with time zone CONSTRAINT events_at_not_null NOT NULL,
    who name,
    body text
) PARTITION BY RANGE (at);
ALTER TABLE public.events ENABLE ROW LEVEL SECURITY;
GRANT INSERT, SELECT ON TABLE public.events TO pg_monitor;
COMMENT ON TABLE public.events IS 'what happened';
CREATE POLICY own ON public.events FOR ALL TO PUBLIC USING ((who = CURRENT_USER));
CREATE TABLE public.events_2026 PARTITION OF public.events FOR VALUES FROM ('2026-01-01 00:00:00+00') TO ('2027-01-01 00:00:00+00');
-- hazard long-scan: public.events_old (49,152 bytes) is read under lock, unless a check proves its bound
ALTER TABLE public.events ATTACH PARTITION public.events_old FOR VALUES FROM (MINVALUE) TO ('2026-01-01 00:00:00+00');
COMMIT;
