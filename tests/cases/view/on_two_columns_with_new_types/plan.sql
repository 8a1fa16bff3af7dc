\set ON_ERROR_STOP on \set ON_ERROR_ROLLBACK off
\set AUTOCOMMIT on \set SINGLELINE off \encoding UTF8
SET standard_conforming_strings = on;
SET search_path = '';
SET check_function_bodies = off;
SET client_min_messages = warning;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
DROP VIEW public.v;
DROP FUNCTION public.of_a(text);
ALTER TABLE public.t ALTER COLUMN a TYPE text;
ALTER TABLE public.t ALTER COLUMN b TYPE text;
SELECT E'CREATE FUNCTION public.of_a(x text)
RETURNS text
LANGUAGE sql
BEGIN ATOMIC
 SELECT t.b
    FROM public.t
   WHERE (t.a = of_a.x);
END' \gexec
CREATE VIEW public.v AS
SELECT public.of_a(a) AS b
   FROM public.t;
COMMIT;
