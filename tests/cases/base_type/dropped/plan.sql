\set ON_ERROR_STOP on \set ON_ERROR_ROLLBACK off
\set AUTOCOMMIT on \set SINGLELINE off \encoding UTF8
SET standard_conforming_strings = on;
SET search_path = '';
SET check_function_bodies = off;
SET client_min_messages = warning;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
DROP TYPE public.later;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
-- hazard data-loss: column public.t.b is dropped with its values
ALTER TABLE public.t DROP COLUMN b;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
DROP FUNCTION public.twice(public.base);
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
DO $reconcile$ DECLARE own text := 'public.base'; other text; BEGIN
  SELECT pg_describe_object(d.classid, d.objid, d.objsubid) INTO other
  FROM pg_type AS t
  CROSS JOIN LATERAL unnest(ARRAY['pg_type', 'pg_type', 'pg_proc', 'pg_proc', 'pg_proc',
                                  'pg_proc']::regclass[],
                            ARRAY[t.oid, t.typarray, t.typinput, t.typoutput, t.typreceive,
                                  t.typsend]::oid[]) AS going(catalog, object)
  JOIN pg_depend AS d ON d.refclassid = going.catalog AND d.refobjid = going.object
  WHERE t.oid = own::regtype AND NOT (
        d.classid = 'pg_type'::regclass AND d.objid IN (t.oid, t.typarray)
        OR d.classid = 'pg_proc'::regclass
           AND d.objid IN (t.typinput, t.typoutput, t.typreceive, t.typsend))
  LIMIT 1;
  IF FOUND THEN
    RAISE dependent_objects_still_exist
    USING MESSAGE = format('cannot drop type %s because %s depends on it', own, other);
  END IF;
  EXECUTE format('DROP TYPE %s CASCADE', own::regtype);
END $reconcile$;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
DROP FUNCTION public.base_typmod_in(cstring[]);
COMMIT;
