\set ON_ERROR_STOP on \set ON_ERROR_ROLLBACK off
\set AUTOCOMMIT on \set SINGLELINE off \encoding UTF8
SET standard_conforming_strings = on;
SET search_path = '';
SET check_function_bodies = off;
SET client_min_messages = warning;

SET lock_timeout = 0;
SET statement_timeout = 0;
CREATE INDEX CONCURRENTLY t_ab ON public.t USING btree (a DESC NULLS LAST, lower(b), b COLLATE "C" text_pattern_ops) INCLUDE (c) WHERE (a > 0);

SET lock_timeout = 0;
SET statement_timeout = 0;
CREATE INDEX CONCURRENTLY t_c ON public.t USING gin (c jsonb_path_ops);

SET lock_timeout = 0;
SET statement_timeout = 0;
CREATE UNIQUE INDEX CONCURRENTLY t_hour ON public.t USING btree (((c ->> 'x'::text))) WITH (fillfactor = '70');
