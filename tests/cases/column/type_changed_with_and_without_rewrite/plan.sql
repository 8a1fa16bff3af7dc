\set ON_ERROR_STOP on \set ON_ERROR_ROLLBACK off
\set AUTOCOMMIT on \set SINGLELINE off \encoding UTF8
SET standard_conforming_strings = on;
SET search_path = '';
SET check_function_bodies = off;
SET client_min_messages = warning;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
ALTER TABLE public.t ALTER COLUMN e DROP DEFAULT;
-- hazard table-rewrite: public.t (16,384 bytes) is rewritten for c, d, e, f while nobody can read or write it
-- hazard data-loss: values of column public.t.d are rounded or cut to numeric(12,1)
-- hazard data-loss: `using` computes new values of column public.t.e, and may keep nothing of the old ones
-- hazard data-loss: values of column public.t.f are rounded or cut to date
ALTER TABLE public.t ALTER COLUMN c TYPE bigint, ALTER COLUMN d TYPE numeric(12,1), ALTER COLUMN e TYPE integer USING (NULLIF(e, ''::text))::integer, ALTER COLUMN f TYPE date;
ALTER TABLE public.t ALTER COLUMN e SET DEFAULT 2;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
ALTER TABLE public.t ALTER COLUMN a TYPE character varying(20);
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
ALTER TABLE public.t ALTER COLUMN b TYPE text;
ALTER TABLE public.t ALTER COLUMN b SET STORAGE external;
COMMIT;
