-- note: sequence public.declared ends at 2,147,483,647, though column public.t.n is bigint: new rows fail from there on; declare the sequence with `type: bigint`
-- note: sequence public.ending ends at 2,147,483,647, though column public.t.id is bigint: new rows fail from there on; declare the sequence with `type: bigint`, and without its maxvalue
\set ON_ERROR_STOP on \set ON_ERROR_ROLLBACK off
\set AUTOCOMMIT on \set SINGLELINE off \encoding UTF8
SET standard_conforming_strings = on;
SET search_path = '';
SET check_function_bodies = off;
SET client_min_messages = warning;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
ALTER SEQUENCE public.t_k_seq AS bigint NO MAXVALUE;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
CREATE SEQUENCE public.declared AS integer;
ALTER TABLE public.t ALTER COLUMN few DROP DEFAULT;
ALTER TABLE public.t ALTER COLUMN id DROP DEFAULT;
ALTER TABLE public.t ALTER COLUMN k DROP DEFAULT;
-- hazard table-rewrite: public.t (0 bytes) is rewritten for few, i, id, k, n while nobody can read or write it
ALTER TABLE public.t ALTER COLUMN few TYPE bigint, ALTER COLUMN i TYPE bigint, ALTER COLUMN id TYPE bigint, ALTER COLUMN k TYPE bigint, ALTER COLUMN n TYPE bigint;
ALTER TABLE public.t ALTER COLUMN few SET DEFAULT nextval('public.few'::regclass);
ALTER TABLE public.t ALTER COLUMN id SET DEFAULT nextval('public.ending'::regclass);
ALTER TABLE public.t ALTER COLUMN k SET DEFAULT nextval('public.t_k_seq'::regclass);
ALTER TABLE public.t ALTER COLUMN n SET DEFAULT nextval('public.declared'::regclass);
ALTER SEQUENCE public.declared OWNED BY public.t.n;
COMMIT;
