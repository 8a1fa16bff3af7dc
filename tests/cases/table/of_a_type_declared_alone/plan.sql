\set ON_ERROR_STOP on \set ON_ERROR_ROLLBACK off
\set AUTOCOMMIT on \set SINGLELINE off \encoding UTF8
SET standard_conforming_strings = on;
SET search_path = '';
SET check_function_bodies = off;
SET client_min_messages = warning;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
CREATE TABLE public.bare (
    a integer,
    b text COLLATE "C"
);
ALTER TABLE public.bare OF public.there;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
ALTER TABLE public.grown NOT OF;
ALTER TABLE public.grown ADD COLUMN c text;
-- hazard data-loss: composite_type public.grows.gone is dropped with its values
ALTER TYPE public.grows DROP ATTRIBUTE gone;
ALTER TYPE public.grows ADD ATTRIBUTE c text;
-- hazard data-loss: column public.grown.gone is dropped with its values
ALTER TABLE public.grown DROP COLUMN gone;
ALTER TABLE public.grown OF public.grows;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
ALTER TABLE public.ordinary OF public.there;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
CREATE TYPE public.pair AS (
    x integer,
    y text COLLATE pg_catalog."C",
    z numeric(5,2)
);
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
CREATE TABLE public.with_defaults (
    x integer NOT NULL,
    y text COLLATE "C",
    z numeric(5,2) DEFAULT 1 NOT NULL
);
ALTER TABLE public.with_defaults OF public.pair;
ALTER TABLE public.with_defaults ADD CONSTRAINT positive CHECK ((z > (0)::numeric));
ALTER TABLE public.with_defaults ADD CONSTRAINT with_defaults_pkey PRIMARY KEY (x);
COMMIT;
