-- note: --prune: what is not declared is dropped in public
\set ON_ERROR_STOP on \set ON_ERROR_ROLLBACK off
\set AUTOCOMMIT on \set SINGLELINE off \encoding UTF8
SET standard_conforming_strings = on;
SET search_path = '';
SET check_function_bodies = off;
SET client_min_messages = warning;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
CREATE TABLE public.authors (
    id bigint NOT NULL,
    name character varying(40) DEFAULT 'anonymous'::character varying NOT NULL
);
COMMENT ON TABLE public.authors IS 'who writes';
ALTER TABLE public.authors ADD CONSTRAINT authors_pkey PRIMARY KEY (id);
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
CREATE TABLE public.books (
    id bigint NOT NULL,
    author_id bigint,
    title text,
    tags text[] DEFAULT '{}'::text[]
);
ALTER TABLE public.books ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.books FORCE ROW LEVEL SECURITY;
-- hazard weakens-security: public may SELECT on table public.books
GRANT SELECT ON TABLE public.books TO PUBLIC;
COMMENT ON COLUMN public.books.author_id IS 'null: unknown';
ALTER TABLE public.books ADD CONSTRAINT books_author_id_fkey FOREIGN KEY (author_id) REFERENCES public.authors(id) ON DELETE CASCADE;
ALTER TABLE public.books ADD CONSTRAINT books_pkey PRIMARY KEY (id);
ALTER TABLE public.books ADD CONSTRAINT books_title_check CHECK ((length(title) > 0));
ALTER TABLE public.books ADD CONSTRAINT books_title_key UNIQUE (author_id, title);
CREATE INDEX books_tags ON public.books USING gin (tags);
CREATE POLICY everybody_reads ON public.books FOR SELECT TO PUBLIC USING ((title IS NOT NULL));
COMMIT;
