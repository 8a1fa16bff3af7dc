\set ON_ERROR_STOP on \set ON_ERROR_ROLLBACK off
\set AUTOCOMMIT on \set SINGLELINE off \encoding UTF8
SET standard_conforming_strings = on;
SET search_path = '';
SET check_function_bodies = off;
SET client_min_messages = warning;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
ALTER TYPE public.measure RENAME TO reconcile_old_measure;
CREATE TYPE public.measure AS (
    label character varying(3),
    size integer,
    length text,
    taken timestamp with time zone
);
-- hazard table-rewrite: public.samples (32,768 bytes) is rewritten for measure while nobody can read or write it
-- hazard data-loss: values of public.samples.measure have the attribute label cut to character varying(3)
-- hazard data-loss: values of public.samples.measure have the attribute size rounded or cut to integer
-- hazard data-loss: values of public.samples.measure lose the attribute unit
-- hazard data-loss: values of public.samples.measure have the attribute taken shifted by the session's TimeZone to timestamp with time zone
ALTER TABLE public.samples ALTER COLUMN measure TYPE public.measure USING CASE WHEN measure IS DISTINCT FROM NULL THEN ROW((measure).label::character varying(3), (measure).size::integer, NULL, (measure).taken::timestamp with time zone)::public.measure END;
DROP TYPE public.reconcile_old_measure;
COMMIT;
