\set ON_ERROR_STOP on \set ON_ERROR_ROLLBACK off
\set AUTOCOMMIT on \set SINGLELINE off \encoding UTF8
SET standard_conforming_strings = on;
SET search_path = '';
SET check_function_bodies = off;
SET client_min_messages = warning;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
CREATE TEXT SEARCH DICTIONARY public.german (TEMPLATE = snowball, language = 'german', stopwords = 'german');
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
CREATE TEXT SEARCH DICTIONARY public.plain (TEMPLATE = simple, accept = 'false');
COMMENT ON TEXT SEARCH DICTIONARY public.plain IS 'lower case, and on';
COMMIT;
