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
ALTER TABLE public.people ADD COLUMN reconcile_retype_f6c54f8e90c2 integer;
CREATE OR REPLACE FUNCTION public.reconcile_retype_f6c54f8e90c2() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path TO pg_catalog, pg_temp
AS 'BEGIN
  NEW.reconcile_retype_f6c54f8e90c2 := (SELECT (born)::integer FROM (SELECT NEW.*) AS people);
  RETURN NEW;
END';
ALTER FUNCTION public.reconcile_retype_f6c54f8e90c2() OWNER TO CURRENT_USER;
CREATE OR REPLACE TRIGGER "~reconcile_retype_f6c54f8e90c2" BEFORE INSERT OR UPDATE ON public.people FOR EACH ROW EXECUTE FUNCTION public.reconcile_retype_f6c54f8e90c2();
ALTER TABLE public.people ENABLE ALWAYS TRIGGER "~reconcile_retype_f6c54f8e90c2";
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
DO $reconcile$
DECLARE reconcile_first int8 := 0; reconcile_blocks int8;
BEGIN
  reconcile_blocks := (SELECT coalesce(max(pg_relation_size(p.relid)), pg_relation_size('public.people'::regclass)) / current_setting('block_size')::int8
    FROM pg_partition_tree('public.people'::regclass) AS p);
  WHILE reconcile_first < reconcile_blocks LOOP
    UPDATE public.people SET reconcile_retype_f6c54f8e90c2 = (born)::integer WHERE ctid >= format('(%s,0)', reconcile_first)::tid AND ctid < format('(%s,0)', reconcile_first + 128)::tid AND reconcile_retype_f6c54f8e90c2 IS NULL AND ((born)::integer) IS NOT NULL;
    COMMIT;
    reconcile_first := reconcile_first + 128;
  END LOOP;
  IF EXISTS (SELECT FROM public.people WHERE reconcile_retype_f6c54f8e90c2 IS NULL AND ((born)::integer) IS NULL) THEN
    RAISE EXCEPTION USING MESSAGE = 'rows of public.people have no reconcile_retype_f6c54f8e90c2, and no value was found for them';
  END IF;
END $reconcile$;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
ALTER TABLE public.people ADD CONSTRAINT reconcile_not_null_reconcile_retype_f6c54f8e90c2 CHECK (reconcile_retype_f6c54f8e90c2 IS NOT NULL) NOT VALID;
COMMIT;

SET lock_timeout = 0;
SET statement_timeout = 0;
BEGIN;
ALTER TABLE public.people VALIDATE CONSTRAINT reconcile_not_null_reconcile_retype_f6c54f8e90c2;
COMMIT;

SET lock_timeout = 0;
SET statement_timeout = 0;
BEGIN;
ANALYZE public.people (reconcile_retype_f6c54f8e90c2);
COMMIT;

SET lock_timeout = 0;
SET statement_timeout = 0;
CREATE UNIQUE INDEX CONCURRENTLY reconcile_f30086471777 ON public.people (reconcile_retype_f6c54f8e90c2);

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
ALTER TABLE public.people ADD COLUMN reconcile_retype_13c4e38e6621 public.mood;
CREATE OR REPLACE FUNCTION public.reconcile_retype_13c4e38e6621() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path TO pg_catalog, pg_temp
AS 'BEGIN
  NEW.reconcile_retype_13c4e38e6621 := (SELECT (NULLIF(mood, ''none''::text))::public.mood FROM (SELECT NEW.*) AS people);
  RETURN NEW;
END';
ALTER FUNCTION public.reconcile_retype_13c4e38e6621() OWNER TO CURRENT_USER;
CREATE OR REPLACE TRIGGER "~reconcile_retype_13c4e38e6621" BEFORE INSERT OR UPDATE ON public.people FOR EACH ROW EXECUTE FUNCTION public.reconcile_retype_13c4e38e6621();
ALTER TABLE public.people ENABLE ALWAYS TRIGGER "~reconcile_retype_13c4e38e6621";
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
DO $reconcile$
DECLARE reconcile_first int8 := 0; reconcile_blocks int8;
BEGIN
  reconcile_blocks := (SELECT coalesce(max(pg_relation_size(p.relid)), pg_relation_size('public.people'::regclass)) / current_setting('block_size')::int8
    FROM pg_partition_tree('public.people'::regclass) AS p);
  WHILE reconcile_first < reconcile_blocks LOOP
    UPDATE public.people SET reconcile_retype_13c4e38e6621 = (NULLIF(mood, 'none'::text))::public.mood WHERE ctid >= format('(%s,0)', reconcile_first)::tid AND ctid < format('(%s,0)', reconcile_first + 128)::tid AND reconcile_retype_13c4e38e6621 IS NOT DISTINCT FROM NULL AND ((NULLIF(mood, 'none'::text))::public.mood) IS DISTINCT FROM NULL;
    COMMIT;
    reconcile_first := reconcile_first + 128;
  END LOOP;
  IF EXISTS (SELECT FROM public.people WHERE reconcile_retype_13c4e38e6621 IS NOT DISTINCT FROM NULL AND ((NULLIF(mood, 'none'::text))::public.mood) IS DISTINCT FROM NULL) THEN
    RAISE EXCEPTION USING MESSAGE = 'rows of public.people have no reconcile_retype_13c4e38e6621, and no value was found for them';
  END IF;
END $reconcile$;

SET lock_timeout = 0;
SET statement_timeout = 0;
BEGIN;
ANALYZE public.people (reconcile_retype_13c4e38e6621);
COMMIT;

SET lock_timeout = 0;
SET statement_timeout = 0;
CREATE INDEX CONCURRENTLY reconcile_25df16d85228 ON public.people USING btree (reconcile_retype_13c4e38e6621) INCLUDE (note);

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
ALTER TABLE public.people DROP CONSTRAINT people_born_key;
DROP INDEX public.people_mood;
DROP INDEX public.people_sad;
DROP TRIGGER IF EXISTS "~reconcile_retype_f6c54f8e90c2" ON public.people;
DROP FUNCTION IF EXISTS public.reconcile_retype_f6c54f8e90c2();
ALTER TABLE public.people DROP COLUMN born;
ALTER TABLE public.people RENAME COLUMN reconcile_retype_f6c54f8e90c2 TO born;
ALTER TABLE public.people ADD CONSTRAINT people_born_not_null NOT NULL born;
ALTER TABLE public.people DROP CONSTRAINT reconcile_not_null_reconcile_retype_f6c54f8e90c2;
ALTER TABLE public.people ADD CONSTRAINT people_born_key UNIQUE USING INDEX reconcile_f30086471777;
DROP TRIGGER zz_noted ON public.people;
ALTER TABLE public.people ALTER COLUMN mood DROP DEFAULT;
DROP TRIGGER IF EXISTS "~reconcile_retype_13c4e38e6621" ON public.people;
DROP FUNCTION IF EXISTS public.reconcile_retype_13c4e38e6621();
-- hazard data-loss: `using` computes new values of column public.people.mood, and may keep nothing of the old ones
ALTER TABLE public.people DROP COLUMN mood;
ALTER TABLE public.people RENAME COLUMN reconcile_retype_13c4e38e6621 TO mood;
ALTER TABLE public.people ALTER COLUMN mood SET DEFAULT 'ok'::public.mood;
ALTER INDEX public.reconcile_25df16d85228 RENAME TO people_mood;
-- hazard blocks-reads: nobody can read or write public.people (188,416 bytes: about 1 s, if 50 MB are read a second) while index public.people_sad is built
CREATE INDEX people_sad ON public.people USING btree (born) WHERE (mood = 'sad'::public.mood);
CREATE TRIGGER zz_noted BEFORE UPDATE OF mood ON public.people FOR EACH ROW EXECUTE FUNCTION public.noted();
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
ALTER TABLE public.people ADD COLUMN reconcile_retype_e7c11cca5ef1 bigint;
CREATE OR REPLACE FUNCTION public.reconcile_retype_e7c11cca5ef1() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path TO pg_catalog, pg_temp
AS 'BEGIN
  NEW.reconcile_retype_e7c11cca5ef1 := (SELECT id FROM (SELECT NEW.*) AS people);
  RETURN NEW;
END';
ALTER FUNCTION public.reconcile_retype_e7c11cca5ef1() OWNER TO CURRENT_USER;
CREATE OR REPLACE TRIGGER "~reconcile_retype_e7c11cca5ef1" BEFORE INSERT OR UPDATE ON public.people FOR EACH ROW EXECUTE FUNCTION public.reconcile_retype_e7c11cca5ef1();
ALTER TABLE public.people ENABLE ALWAYS TRIGGER "~reconcile_retype_e7c11cca5ef1";
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
DO $reconcile$
DECLARE reconcile_first int8 := 0; reconcile_blocks int8;
BEGIN
  reconcile_blocks := (SELECT coalesce(max(pg_relation_size(p.relid)), pg_relation_size('public.people'::regclass)) / current_setting('block_size')::int8
    FROM pg_partition_tree('public.people'::regclass) AS p);
  WHILE reconcile_first < reconcile_blocks LOOP
    UPDATE public.people SET reconcile_retype_e7c11cca5ef1 = id WHERE ctid >= format('(%s,0)', reconcile_first)::tid AND ctid < format('(%s,0)', reconcile_first + 128)::tid AND reconcile_retype_e7c11cca5ef1 IS NULL AND (id) IS NOT NULL;
    COMMIT;
    reconcile_first := reconcile_first + 128;
  END LOOP;
  IF EXISTS (SELECT FROM public.people WHERE reconcile_retype_e7c11cca5ef1 IS NULL AND (id) IS NULL) THEN
    RAISE EXCEPTION USING MESSAGE = 'rows of public.people have no reconcile_retype_e7c11cca5ef1, and no value was found for them';
  END IF;
END $reconcile$;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
ALTER TABLE public.people ADD CONSTRAINT reconcile_not_null_reconcile_retype_e7c11cca5ef1 CHECK (reconcile_retype_e7c11cca5ef1 IS NOT NULL) NOT VALID;
COMMIT;

SET lock_timeout = 0;
SET statement_timeout = 0;
BEGIN;
ALTER TABLE public.people VALIDATE CONSTRAINT reconcile_not_null_reconcile_retype_e7c11cca5ef1;
COMMIT;

SET lock_timeout = 0;
SET statement_timeout = 0;
BEGIN;
ANALYZE public.people (reconcile_retype_e7c11cca5ef1);
COMMIT;

SET lock_timeout = 0;
SET statement_timeout = 0;
CREATE UNIQUE INDEX CONCURRENTLY reconcile_5cd40751bcd9 ON public.people (reconcile_retype_e7c11cca5ef1);

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
ALTER TABLE public.people DROP CONSTRAINT people_pkey;
DROP TRIGGER IF EXISTS "~reconcile_retype_e7c11cca5ef1" ON public.people;
DROP FUNCTION IF EXISTS public.reconcile_retype_e7c11cca5ef1();
ALTER SEQUENCE public.people_id_seq INCREMENT BY 1;
SELECT set_config('reconcile.reconcile_retype_e7c11cca5ef1', last_value || ' ' || is_called, true) FROM public.people_id_seq;
ALTER TABLE public.people DROP COLUMN id;
ALTER TABLE public.people RENAME COLUMN reconcile_retype_e7c11cca5ef1 TO id;
ALTER TABLE public.people ADD CONSTRAINT people_id_not_null NOT NULL id;
ALTER TABLE public.people DROP CONSTRAINT reconcile_not_null_reconcile_retype_e7c11cca5ef1;
ALTER TABLE public.people ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY;
SELECT setval('public.people_id_seq', split_part(current_setting('reconcile.reconcile_retype_e7c11cca5ef1'), ' ', 1)::bigint, split_part(current_setting('reconcile.reconcile_retype_e7c11cca5ef1'), ' ', 2)::boolean);
ALTER TABLE public.people ADD CONSTRAINT people_pkey PRIMARY KEY USING INDEX reconcile_5cd40751bcd9;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
COMMENT ON COLUMN public.people.mood IS 'how';
COMMIT;
