\set ON_ERROR_STOP on \set ON_ERROR_ROLLBACK off
\set AUTOCOMMIT on \set SINGLELINE off \encoding UTF8
SET standard_conforming_strings = on;
SET search_path = '';
SET check_function_bodies = off;
SET client_min_messages = warning;
SET row_security = off;  -- better refused than a backfill that misses rows

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
ALTER TABLE public.talks ADD COLUMN again json;
COMMENT ON COLUMN public.talks.again IS 'reconcile is about to fill this. ';
CREATE OR REPLACE FUNCTION public.reconcile_fill_talks_again() RETURNS trigger LANGUAGE plpgsql SET search_path TO pg_catalog, pg_temp
AS 'BEGIN
  NEW.again := (SELECT words FROM (SELECT NEW.*) AS talks);
  RETURN NEW;
END';
ALTER FUNCTION public.reconcile_fill_talks_again() OWNER TO CURRENT_USER;
CREATE OR REPLACE TRIGGER "~reconcile_fill_again" BEFORE INSERT OR UPDATE ON public.talks FOR EACH ROW WHEN ((NEW.again IS NULL) IS NOT NULL) EXECUTE FUNCTION public.reconcile_fill_talks_again();
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
DO $reconcile$
DECLARE reconcile_first int8 := 0; reconcile_blocks int8;
BEGIN
  reconcile_blocks := (SELECT coalesce(max(pg_relation_size(p.relid)), pg_relation_size('public.talks'::regclass)) / current_setting('block_size')::int8
    FROM pg_partition_tree('public.talks'::regclass) AS p);
  WHILE reconcile_first < reconcile_blocks LOOP
    UPDATE public.talks SET again = words WHERE ctid >= format('(%s,0)', reconcile_first)::tid AND ctid < format('(%s,0)', reconcile_first + 128)::tid AND ROW(again)::record OPERATOR(pg_catalog.*<>) ROW((words)::json)::record;
    COMMIT;
    reconcile_first := reconcile_first + 128;
  END LOOP;
  IF EXISTS (SELECT FROM public.talks WHERE ROW(again)::record OPERATOR(pg_catalog.*<>) ROW((words)::json)::record) THEN
    RAISE EXCEPTION USING MESSAGE = 'rows of public.talks hold another again than their own';
  END IF;
END $reconcile$;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
COMMENT ON COLUMN public.talks.again IS NULL;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
ALTER TABLE public.talks ADD COLUMN hour timestamp without time zone;
CREATE OR REPLACE FUNCTION public.reconcile_fill_talks_hour() RETURNS trigger LANGUAGE plpgsql SET search_path TO pg_catalog, pg_temp
AS 'BEGIN
  NEW.hour := (SELECT date_trunc(''hour''::text, (began AT TIME ZONE ''UTC''::text)) FROM (SELECT NEW.*) AS talks);
  RETURN NEW;
END';
ALTER FUNCTION public.reconcile_fill_talks_hour() OWNER TO CURRENT_USER;
CREATE OR REPLACE TRIGGER "~reconcile_fill_hour" BEFORE INSERT OR UPDATE ON public.talks FOR EACH ROW WHEN ((NEW.hour IS NULL) IS NOT NULL) EXECUTE FUNCTION public.reconcile_fill_talks_hour();
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
DO $reconcile$
DECLARE reconcile_first int8 := 0; reconcile_blocks int8;
BEGIN
  reconcile_blocks := (SELECT coalesce(max(pg_relation_size(p.relid)), pg_relation_size('public.talks'::regclass)) / current_setting('block_size')::int8
    FROM pg_partition_tree('public.talks'::regclass) AS p);
  WHILE reconcile_first < reconcile_blocks LOOP
    UPDATE public.talks SET hour = date_trunc('hour'::text, (began AT TIME ZONE 'UTC'::text)) WHERE ctid >= format('(%s,0)', reconcile_first)::tid AND ctid < format('(%s,0)', reconcile_first + 128)::tid AND ROW(hour)::record OPERATOR(pg_catalog.*<>) ROW((date_trunc('hour'::text, (began AT TIME ZONE 'UTC'::text)))::timestamp without time zone)::record;
    COMMIT;
    reconcile_first := reconcile_first + 128;
  END LOOP;
  IF EXISTS (SELECT FROM public.talks WHERE (ROW(hour)::record OPERATOR(pg_catalog.*<>) ROW((date_trunc('hour'::text, (began AT TIME ZONE 'UTC'::text)))::timestamp without time zone)::record OR hour IS NULL)) THEN
    RAISE EXCEPTION USING MESSAGE = 'rows of public.talks have no hour, and no value was found for them';
  END IF;
END $reconcile$;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
ALTER TABLE public.talks ADD CONSTRAINT talks_hour_not_null NOT NULL hour NOT VALID;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
DO $reconcile$
DECLARE reconcile_first int8 := 0; reconcile_blocks int8;
BEGIN
  reconcile_blocks := (SELECT coalesce(max(pg_relation_size(p.relid)), pg_relation_size('public.talks'::regclass)) / current_setting('block_size')::int8
    FROM pg_partition_tree('public.talks'::regclass) AS p);
  WHILE reconcile_first < reconcile_blocks LOOP
    UPDATE public.talks SET hour = date_trunc('hour'::text, (began AT TIME ZONE 'UTC'::text)) WHERE ctid >= format('(%s,0)', reconcile_first)::tid AND ctid < format('(%s,0)', reconcile_first + 128)::tid AND ROW(hour)::record OPERATOR(pg_catalog.*<>) ROW((date_trunc('hour'::text, (began AT TIME ZONE 'UTC'::text)))::timestamp without time zone)::record;
    COMMIT;
    reconcile_first := reconcile_first + 128;
  END LOOP;
  IF EXISTS (SELECT FROM public.talks WHERE (ROW(hour)::record OPERATOR(pg_catalog.*<>) ROW((date_trunc('hour'::text, (began AT TIME ZONE 'UTC'::text)))::timestamp without time zone)::record OR hour IS NULL)) THEN
    RAISE EXCEPTION USING MESSAGE = 'rows of public.talks have no hour, and no value was found for them';
  END IF;
END $reconcile$;

SET lock_timeout = 0;
SET statement_timeout = 0;
BEGIN;
ALTER TABLE public.talks VALIDATE CONSTRAINT talks_hour_not_null;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
CREATE OR REPLACE FUNCTION public.reconcile_fill_talks_kept() RETURNS trigger LANGUAGE plpgsql SET search_path TO pg_catalog, pg_temp
AS 'BEGIN
  NEW.kept := (SELECT upper((about ->> ''state''::text)) FROM (SELECT NEW.*) AS talks);
  RETURN NEW;
END';
ALTER FUNCTION public.reconcile_fill_talks_kept() OWNER TO CURRENT_USER;
CREATE OR REPLACE TRIGGER "~reconcile_fill_kept" BEFORE INSERT OR UPDATE ON public.talks FOR EACH ROW WHEN ((NEW.kept IS NULL) IS NOT NULL) EXECUTE FUNCTION public.reconcile_fill_talks_kept();
COMMENT ON COLUMN public.talks.kept IS 'reconcile is about to fill this. ';
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
-- hazard data-loss: values of column public.talks.kept that differ from those of the backfill are replaced
DO $reconcile$
DECLARE reconcile_first int8 := 0; reconcile_blocks int8;
BEGIN
  reconcile_blocks := (SELECT coalesce(max(pg_relation_size(p.relid)), pg_relation_size('public.talks'::regclass)) / current_setting('block_size')::int8
    FROM pg_partition_tree('public.talks'::regclass) AS p);
  WHILE reconcile_first < reconcile_blocks LOOP
    UPDATE public.talks SET kept = upper((about ->> 'state'::text)) WHERE ctid >= format('(%s,0)', reconcile_first)::tid AND ctid < format('(%s,0)', reconcile_first + 128)::tid AND ROW(kept)::record OPERATOR(pg_catalog.*<>) ROW((upper((about ->> 'state'::text)))::text)::record;
    COMMIT;
    reconcile_first := reconcile_first + 128;
  END LOOP;
  IF EXISTS (SELECT FROM public.talks WHERE ROW(kept)::record OPERATOR(pg_catalog.*<>) ROW((upper((about ->> 'state'::text)))::text)::record) THEN
    RAISE EXCEPTION USING MESSAGE = 'rows of public.talks hold another kept than their own';
  END IF;
END $reconcile$;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
COMMENT ON COLUMN public.talks.kept IS NULL;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
ALTER TABLE public.talks ADD COLUMN short character varying(1);
COMMENT ON COLUMN public.talks.short IS 'reconcile is about to fill this. ';
CREATE OR REPLACE FUNCTION public.reconcile_fill_talks_short() RETURNS trigger LANGUAGE plpgsql SET search_path TO pg_catalog, pg_temp
AS 'BEGIN
  NEW.short := (SELECT "left"((about ->> ''state''::text), 1) FROM (SELECT NEW.*) AS talks);
  RETURN NEW;
END';
ALTER FUNCTION public.reconcile_fill_talks_short() OWNER TO CURRENT_USER;
CREATE OR REPLACE TRIGGER "~reconcile_fill_short" BEFORE INSERT OR UPDATE ON public.talks FOR EACH ROW WHEN ((NEW.short IS NULL) IS NOT NULL) EXECUTE FUNCTION public.reconcile_fill_talks_short();
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
DO $reconcile$
DECLARE reconcile_first int8 := 0; reconcile_blocks int8;
BEGIN
  reconcile_blocks := (SELECT coalesce(max(pg_relation_size(p.relid)), pg_relation_size('public.talks'::regclass)) / current_setting('block_size')::int8
    FROM pg_partition_tree('public.talks'::regclass) AS p);
  WHILE reconcile_first < reconcile_blocks LOOP
    UPDATE public.talks SET short = "left"((about ->> 'state'::text), 1) WHERE ctid >= format('(%s,0)', reconcile_first)::tid AND ctid < format('(%s,0)', reconcile_first + 128)::tid AND ROW(short)::record OPERATOR(pg_catalog.*<>) ROW(("left"((about ->> 'state'::text), 1))::character varying(1))::record;
    COMMIT;
    reconcile_first := reconcile_first + 128;
  END LOOP;
  IF EXISTS (SELECT FROM public.talks WHERE ROW(short)::record OPERATOR(pg_catalog.*<>) ROW(("left"((about ->> 'state'::text), 1))::character varying(1))::record) THEN
    RAISE EXCEPTION USING MESSAGE = 'rows of public.talks hold another short than their own';
  END IF;
END $reconcile$;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
COMMENT ON COLUMN public.talks.short IS NULL;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
ALTER TABLE public.talks ADD COLUMN state text;
COMMENT ON COLUMN public.talks.state IS 'reconcile is about to fill this. From about.';
CREATE OR REPLACE FUNCTION public.reconcile_fill_talks_state() RETURNS trigger LANGUAGE plpgsql SET search_path TO pg_catalog, pg_temp
AS 'BEGIN
  NEW.state := (SELECT (about ->> ''state''::text) FROM (SELECT NEW.*) AS talks);
  RETURN NEW;
END';
ALTER FUNCTION public.reconcile_fill_talks_state() OWNER TO CURRENT_USER;
CREATE OR REPLACE TRIGGER "~reconcile_fill_state" BEFORE INSERT OR UPDATE ON public.talks FOR EACH ROW WHEN ((NEW.state IS NULL) IS NOT NULL) EXECUTE FUNCTION public.reconcile_fill_talks_state();
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
DO $reconcile$
DECLARE reconcile_first int8 := 0; reconcile_blocks int8;
BEGIN
  reconcile_blocks := (SELECT coalesce(max(pg_relation_size(p.relid)), pg_relation_size('public.talks'::regclass)) / current_setting('block_size')::int8
    FROM pg_partition_tree('public.talks'::regclass) AS p);
  WHILE reconcile_first < reconcile_blocks LOOP
    UPDATE public.talks SET state = (about ->> 'state'::text) WHERE ctid >= format('(%s,0)', reconcile_first)::tid AND ctid < format('(%s,0)', reconcile_first + 128)::tid AND ROW(state)::record OPERATOR(pg_catalog.*<>) ROW(((about ->> 'state'::text))::text)::record;
    COMMIT;
    reconcile_first := reconcile_first + 128;
  END LOOP;
  IF EXISTS (SELECT FROM public.talks WHERE ROW(state)::record OPERATOR(pg_catalog.*<>) ROW(((about ->> 'state'::text))::text)::record) THEN
    RAISE EXCEPTION USING MESSAGE = 'rows of public.talks hold another state than their own';
  END IF;
END $reconcile$;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
COMMENT ON COLUMN public.talks.state IS 'From about.';
COMMENT ON COLUMN public.talks.state IS 'From about.';
COMMIT;
