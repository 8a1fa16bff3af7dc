\set ON_ERROR_STOP on \set ON_ERROR_ROLLBACK off
\set AUTOCOMMIT on \set SINGLELINE off \encoding UTF8
SET standard_conforming_strings = on;
SET search_path = '';
SET check_function_bodies = off;
SET client_min_messages = warning;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
DROP VIEW public.x;
DROP VIEW public.w;
DROP VIEW public.v;
CREATE VIEW public.v WITH (security_invoker = true) AS
SELECT b,
    a
   FROM public.t;
GRANT SELECT ON TABLE public.v TO PUBLIC;
CREATE VIEW public.w AS
SELECT a
   FROM public.v;
CREATE VIEW public.x WITH (security_invoker = true) AS
SELECT a
   FROM public.w;
GRANT SELECT ON TABLE public.x TO PUBLIC;
COMMENT ON VIEW public.x IS 'on top';
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
CREATE VIEW public.z AS
SELECT a
   FROM public.x;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
CREATE VIEW public.y AS
SELECT a
   FROM public.z;
COMMIT;
