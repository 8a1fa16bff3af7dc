\set ON_ERROR_STOP on \set ON_ERROR_ROLLBACK off
\set AUTOCOMMIT on \set SINGLELINE off \encoding UTF8
SET standard_conforming_strings = on;
SET search_path = '';
SET check_function_bodies = off;
SET client_min_messages = warning;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
ALTER TABLE public.c INHERIT public.p;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
ALTER TABLE public.m ATTACH PARTITION public.m1 FOR VALUES FROM (1) TO (10);
COMMIT;
