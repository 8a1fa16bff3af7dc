\set ON_ERROR_STOP on \set ON_ERROR_ROLLBACK off
\set AUTOCOMMIT on \set SINGLELINE off \encoding UTF8
SET standard_conforming_strings = on;
SET search_path = '';
SET check_function_bodies = off;
SET client_min_messages = warning;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
CREATE VIEW public.ancestors AS
WITH RECURSIVE ancestors(id, ancestor) AS (
         SELECT t.id,
            t.parent
           FROM public.t
        UNION ALL
         SELECT a.id,
            t.parent
           FROM (ancestors a
             JOIN public.t ON ((t.id = a.ancestor)))
        )
 SELECT id,
    ancestor
   FROM ancestors;
COMMIT;
