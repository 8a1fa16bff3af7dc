\set ON_ERROR_STOP on \set ON_ERROR_ROLLBACK off
\set AUTOCOMMIT on \set SINGLELINE off \encoding UTF8
SET standard_conforming_strings = on;
SET search_path = '';
SET check_function_bodies = off;
SET client_min_messages = warning;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
DROP RULE logged ON public.items;
ALTER TABLE public.items ALTER COLUMN name TYPE text;
CREATE RULE logged AS ON UPDATE TO public.items WHERE (old.name <> new.name) DO ALSO INSERT INTO public.items_log (name)
  VALUES (old.name);
ALTER TABLE public.items ENABLE ALWAYS RULE logged;
COMMENT ON RULE logged ON public.items IS 'comes back';
COMMIT;
