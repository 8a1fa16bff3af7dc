\set ON_ERROR_STOP on
SET search_path = '';
SET check_function_bodies = off;
SET client_min_messages = warning;

SET lock_timeout = '2s';
BEGIN;
CREATE SCHEMA app;
COMMENT ON SCHEMA app IS 'what the application owns';
COMMIT;

SET lock_timeout = '2s';
BEGIN;
CREATE TABLE app.notes (
    id bigint,
    body text
);
COMMIT;
