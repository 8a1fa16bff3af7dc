\set ON_ERROR_STOP on \set ON_ERROR_ROLLBACK off
\set AUTOCOMMIT on \set SINGLELINE off \encoding UTF8
SET standard_conforming_strings = on;
SET search_path = '';
SET check_function_bodies = off;
SET client_min_messages = warning;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
DROP FUNCTION public.base_send(public.base);
DROP VIEW public.v;
DROP OPERATOR public.+ (public.base, public.base);
DROP FUNCTION public.plus(public.base, public.base);
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
CREATE TYPE public.base;
COMMENT ON TYPE public.base IS 'kept';
CREATE FUNCTION public.base_in(cstring)
RETURNS public.base
LANGUAGE internal
IMMUTABLE
STRICT
AS $function$textin$function$;
COMMENT ON FUNCTION public.base_in(cstring) IS 'kept';
CREATE FUNCTION public.base_out(public.base)
RETURNS cstring
LANGUAGE internal
IMMUTABLE
STRICT
AS $function$textout$function$;
CREATE FUNCTION public.base_recv(internal)
RETURNS public.base
LANGUAGE internal
IMMUTABLE
STRICT
AS $function$textrecv$function$;
CREATE FUNCTION public.base_send(public.base)
RETURNS bytea
LANGUAGE internal
IMMUTABLE
STRICT
AS $function$textsend$function$;
CREATE TYPE public.base (
    INPUT = public.base_in,
    OUTPUT = public.base_out,
    RECEIVE = public.base_recv,
    SEND = public.base_send,
    SUBSCRIPT = raw_array_subscript_handler,
    STORAGE = external,
    CATEGORY = 'X',
    PREFERRED = true,
    ELEMENT = integer,
    DELIMITER = ';',
    COLLATABLE = true,
    DEFAULT = 'one, two'
);
CREATE FUNCTION public.plus(public.base, public.base)
RETURNS public.base
LANGUAGE internal
IMMUTABLE
STRICT
AS $function$textcat$function$;
CREATE OPERATOR public.+ (FUNCTION = public.plus, LEFTARG = public.base, RIGHTARG = public.base);
CREATE VIEW public.v AS
SELECT ('1'::public.base OPERATOR(public.+) '2'::public.base) AS sum;
COMMIT;
