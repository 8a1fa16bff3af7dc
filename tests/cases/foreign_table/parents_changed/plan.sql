\set ON_ERROR_STOP on \set ON_ERROR_ROLLBACK off
\set AUTOCOMMIT on \set SINGLELINE off \encoding UTF8
SET standard_conforming_strings = on;
SET search_path = '';
SET check_function_bodies = off;
SET client_min_messages = warning;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
ALTER TABLE public.years DETACH PARTITION public.leaves;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
ALTER TABLE public.years DETACH PARTITION public.moves;
ALTER TABLE public.decades ATTACH PARTITION public.moves FOR VALUES FROM (0) TO (10);
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
ALTER TABLE public.seen RENAME CONSTRAINT seen_id_not_null TO heard_id_not_null;
ALTER FOREIGN TABLE public.told INHERIT public.heard;
ALTER FOREIGN TABLE public.told NO INHERIT public.seen;
ALTER TABLE public.seen RENAME CONSTRAINT heard_id_not_null TO seen_id_not_null;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
ALTER TABLE public.years DETACH PARTITION public.widens;
ALTER TABLE public.years ATTACH PARTITION public.widens FOR VALUES FROM (10) TO (30);
ALTER FOREIGN TABLE public.widens OPTIONS (SET fetch_size '2');
COMMIT;
