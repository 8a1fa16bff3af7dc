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
ALTER TABLE public.t DROP COLUMN g;
DROP VIEW public.v;
ALTER TABLE public.t ALTER COLUMN a DROP DEFAULT;
ALTER TABLE public.t ALTER COLUMN d DROP DEFAULT;
-- hazard table-rewrite: public.t (49,152 bytes) is rewritten for a, b, c, d, n, odd column while nobody can read or write it; `retype: online` of a, b, d does it while all can
-- hazard data-loss: the session's TimeZone decides the values of column public.t.a as timestamp with time zone: `using` with AT TIME ZONE names the zone
-- hazard data-loss: values of column public.t.b are rounded or cut to jsonb
ALTER TABLE public.t ALTER COLUMN a TYPE timestamp with time zone, ALTER COLUMN b TYPE jsonb, ALTER COLUMN c TYPE bigint, ALTER COLUMN d TYPE bigint, ADD COLUMN n integer GENERATED ALWAYS AS IDENTITY NOT NULL, ADD COLUMN "odd column" integer GENERATED ALWAYS AS ((id + 1)) STORED;
ALTER TABLE public.t ALTER COLUMN a SET DEFAULT now();
ALTER TABLE public.t ALTER COLUMN d SET DEFAULT 2;
-- hazard table-rewrite: public.t (49,152 bytes) is rewritten for g, h while nobody can read or write it
ALTER TABLE public.t ADD COLUMN g bigint GENERATED ALWAYS AS ((c + 1)) STORED, ALTER COLUMN h SET EXPRESSION AS ((length(e) + 1));
CREATE VIEW public.v AS
SELECT a,
    d
   FROM public.t;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
DO $reconcile$
DECLARE reconcile_first int8 := 0; reconcile_blocks int8;
BEGIN
  IF EXISTS (SELECT FROM public.t WHERE b IS NULL) THEN
    RAISE EXCEPTION USING MESSAGE = 'rows of public.t have no b, and no value was found for them';
  END IF;
END $reconcile$;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
ALTER TABLE public.t ADD CONSTRAINT t_b_not_null NOT NULL b NOT VALID;
COMMIT;

SET lock_timeout = 0;
SET statement_timeout = 0;
BEGIN;
ALTER TABLE public.t VALIDATE CONSTRAINT t_b_not_null;
COMMIT;
