\set ON_ERROR_STOP on \set ON_ERROR_ROLLBACK off
\set AUTOCOMMIT on \set SINGLELINE off \encoding UTF8
SET standard_conforming_strings = on;
SET search_path = '';
SET check_function_bodies = off;
SET client_min_messages = warning;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
-- hazard irreversible: enum public.state cannot be taken back while table public.jobs is partitioned by it
ALTER TYPE public.state ADD VALUE 'waiting' AFTER 'open';
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
CREATE TABLE public.jobs_waiting PARTITION OF public.jobs FOR VALUES IN ('waiting');
COMMIT;
