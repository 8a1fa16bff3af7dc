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
ALTER TABLE public.events_old RENAME CONSTRAINT events_pkey TO events_old_pkey;
ALTER INDEX public.events_who RENAME TO events_old_who_idx;
CREATE TABLE public.events (
    id bigint DEFAULT nextval('public.ev_seq'::regclass) CONSTRAINT events_id_not_null NOT NULL,
    at timestamp with time zone CONSTRAINT events_at_not_null NOT NULL,
    who name,
    body text
) PARTITION BY RANGE (at);
ALTER TABLE public.events ENABLE ROW LEVEL SECURITY;
GRANT INSERT, SELECT ON TABLE public.events TO pg_monitor;
COMMENT ON TABLE public.events IS 'what happened';
ALTER TABLE public.events ADD CONSTRAINT events_pkey PRIMARY KEY (id, at);
CREATE INDEX events_who ON public.events USING btree (who);
CREATE POLICY own ON public.events FOR ALL TO PUBLIC USING ((who = CURRENT_USER));
CREATE TRIGGER each_row BEFORE INSERT ON public.events FOR EACH ROW EXECUTE FUNCTION public.noted();
CREATE TRIGGER once AFTER INSERT ON public.events FOR EACH STATEMENT EXECUTE FUNCTION public.noted();
ALTER PUBLICATION published DROP TABLE ONLY public.events_old;
ALTER PUBLICATION published ADD TABLE ONLY public.events;
CREATE TABLE public.events_2026 PARTITION OF public.events FOR VALUES FROM ('2026-01-01 00:00:00+00') TO ('2027-01-01 00:00:00+00');
DROP TRIGGER each_row ON public.events_old;
-- hazard long-scan: public.events_old (81,920 bytes) is read under lock, unless a check proves its bound
ALTER TABLE public.events ATTACH PARTITION public.events_old FOR VALUES FROM (MINVALUE) TO ('2026-01-01 00:00:00+00');
ALTER TABLE public.notes DROP CONSTRAINT notes_event;
ALTER TABLE public.notes ADD CONSTRAINT notes_event FOREIGN KEY (event, at) REFERENCES public.events(id, at) NOT VALID;
COMMIT;

SET lock_timeout = 0;
SET statement_timeout = 0;
BEGIN;
ALTER TABLE public.notes VALIDATE CONSTRAINT notes_event;
COMMIT;
