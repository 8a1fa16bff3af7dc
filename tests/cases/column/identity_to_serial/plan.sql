\set ON_ERROR_STOP on \set ON_ERROR_ROLLBACK off
\set AUTOCOMMIT on \set SINGLELINE off \encoding UTF8
SET standard_conforming_strings = on;
SET search_path = '';
SET check_function_bodies = off;
SET client_min_messages = warning;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
SELECT set_config('reconcile.reconcile_4648668e0fa0', last_value || ' ' || is_called, true) FROM public.t_id_seq;
ALTER TABLE public.t ALTER COLUMN id DROP IDENTITY;
CREATE SEQUENCE public.t_id_seq AS integer;
ALTER TABLE public.t ALTER COLUMN id SET DEFAULT nextval('public.t_id_seq'::regclass);
SELECT setval('public.t_id_seq', split_part(saved, ' ', 1)::bigint, split_part(saved, ' ', 2)::boolean) FROM nullif(current_setting('reconcile.reconcile_4648668e0fa0', true), '') AS saved;
ALTER SEQUENCE public.t_id_seq OWNED BY public.t.id;
COMMIT;
