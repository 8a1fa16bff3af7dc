\set ON_ERROR_STOP on \set ON_ERROR_ROLLBACK off
\set AUTOCOMMIT on \set SINGLELINE off \encoding UTF8
SET standard_conforming_strings = on;
SET search_path = '';
SET check_function_bodies = off;
SET client_min_messages = warning;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
ALTER TYPE public.base OWNER TO postgres;
-- hazard irreversible: base_type public.base is no shell type any more, and PostgreSQL makes none of it again
CREATE TYPE public.base (
    INPUT = public.base_in,
    OUTPUT = public.base_out,
    RECEIVE = public.base_recv,
    SEND = public.base_send
);
ALTER TYPE public.base OWNER TO pg_monitor;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
CREATE TABLE public.t (
    b public.base
);
COMMIT;
