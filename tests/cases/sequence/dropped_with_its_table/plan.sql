-- note: --prune: what is not declared is dropped in public
\set ON_ERROR_STOP on \set ON_ERROR_ROLLBACK off
\set AUTOCOMMIT on \set SINGLELINE off \encoding UTF8
SET standard_conforming_strings = on;
SET search_path = '';
SET check_function_bodies = off;
SET client_min_messages = warning;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
ALTER SEQUENCE public.t_id_seq OWNED BY NONE;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
-- hazard data-loss: table public.t is dropped with about 0 rows (0 bytes)
DROP TABLE public.t;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
-- hazard data-loss: sequence public.t_id_seq is dropped, and how far it has counted is forgotten
DROP SEQUENCE public.t_id_seq;
COMMIT;
