\set ON_ERROR_STOP on \set ON_ERROR_ROLLBACK off
\set AUTOCOMMIT on \set SINGLELINE off \encoding UTF8
SET standard_conforming_strings = on;
SET search_path = '';
SET check_function_bodies = off;
SET client_min_messages = warning;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
CREATE RULE added AS ON INSERT TO public.active_items DO INSTEAD INSERT INTO public.items (id, name, active)
  VALUES (new.id, new.name, true);
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
ALTER TABLE public.items DISABLE RULE guarded;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
SELECT E'CREATE OR REPLACE RULE logged AS ON INSERT TO public.items WHERE (new.name <> '' DO INSTEAD ''::text) DO ALSO (
INSERT INTO public.items_log (id, name)
  VALUES (new.id, new.name);
DELETE FROM public.items_log
  WHERE (items_log.name IS NULL)
)' \gexec
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
DROP RULE gone ON public.items;
COMMIT;
