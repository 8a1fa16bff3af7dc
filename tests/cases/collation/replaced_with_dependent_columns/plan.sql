\set ON_ERROR_STOP on \set ON_ERROR_ROLLBACK off
\set AUTOCOMMIT on \set SINGLELINE off \encoding UTF8
SET standard_conforming_strings = on;
SET search_path = '';
SET check_function_bodies = off;
SET client_min_messages = warning;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
DROP VIEW public.sorted;
ALTER TABLE public.words DROP CONSTRAINT words_pkey;
DROP INDEX public.words_other;
ALTER TABLE public.words ALTER COLUMN other DROP DEFAULT;
ALTER COLLATION public.order_of_ours RENAME TO reconcile_old_order_of_ours;
CREATE COLLATION public.order_of_ours (provider = libc, locale = 'POSIX');
ALTER TABLE public.words ALTER COLUMN other SET DEFAULT ('x'::text COLLATE public.order_of_ours);
-- hazard blocks-reads: the indexes of column public.words.word are built anew while nobody can read or write public.words
ALTER TABLE public.words ALTER COLUMN word TYPE text COLLATE public.order_of_ours;
CREATE VIEW public.sorted AS
SELECT word
   FROM public.words
  ORDER BY word;
-- hazard blocks-reads: nobody can read or write public.words while constraint words_pkey on public.words is built (49,152 bytes: about 1 s, if 50 MB are read a second)
ALTER TABLE public.words ADD CONSTRAINT words_pkey PRIMARY KEY (word);
-- hazard blocks-writes: public.words (49,152 bytes) cannot be written while index public.words_other is built
CREATE INDEX words_other ON public.words USING btree (other COLLATE public.order_of_ours);
DROP COLLATION public.reconcile_old_order_of_ours;
COMMIT;
