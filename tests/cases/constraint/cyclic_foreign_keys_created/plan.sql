\set ON_ERROR_STOP on \set ON_ERROR_ROLLBACK off
\set AUTOCOMMIT on \set SINGLELINE off \encoding UTF8
SET standard_conforming_strings = on;
SET search_path = '';
SET check_function_bodies = off;
SET client_min_messages = warning;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
CREATE TABLE public.eggs (
    id integer NOT NULL,
    laid_by integer,
    kept integer
);
ALTER TABLE public.eggs ADD CONSTRAINT eggs_kept_fkey FOREIGN KEY (kept) REFERENCES public.kept(id);
ALTER TABLE public.eggs ADD CONSTRAINT eggs_pkey PRIMARY KEY (id);
CREATE TABLE public.hens (
    id integer NOT NULL,
    hatched_from integer
);
ALTER TABLE public.hens ADD CONSTRAINT hens_hatched_from_fkey FOREIGN KEY (hatched_from) REFERENCES public.eggs(id);
ALTER TABLE public.hens ADD CONSTRAINT hens_pkey PRIMARY KEY (id);
ALTER TABLE public.eggs ADD CONSTRAINT eggs_laid_by_fkey FOREIGN KEY (laid_by) REFERENCES public.hens(id);
COMMIT;
