\set ON_ERROR_STOP on \set ON_ERROR_ROLLBACK off
\set AUTOCOMMIT on \set SINGLELINE off \encoding UTF8
SET standard_conforming_strings = on;
SET search_path = '';
SET check_function_bodies = off;
SET client_min_messages = warning;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
ALTER TEXT SEARCH CONFIGURATION public.product DROP MAPPING FOR "int", url, file, host, uint, email, "float", hword, numword, version, numhword, url_path, asciihword, hword_part, hword_numpart, hword_asciipart;
ALTER TEXT SEARCH CONFIGURATION public.product ALTER MAPPING FOR word WITH simple, english_stem;
ALTER TEXT SEARCH CONFIGURATION public.product ALTER MAPPING FOR asciiword WITH simple;
COMMIT;
