-- found: f_bypassing, f_super
DO $$ BEGIN CREATE ROLE f_bypassing; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$;
DO $$ BEGIN CREATE ROLE f_super; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$;
ALTER ROLE f_bypassing LOGIN BYPASSRLS;
ALTER ROLE f_super LOGIN SUPERUSER;
CREATE TABLE t (id int PRIMARY KEY);
ALTER TABLE t ENABLE ROW LEVEL SECURITY;
CREATE POLICY p ON t TO authenticated USING (id > 0);
CREATE TABLE u (id int PRIMARY KEY);
GRANT SELECT ON t TO f_bypassing;
GRANT SELECT ON u TO f_super;
-- passing
-- a superuser without privileges, one that owns tables, a role without LOGIN, and tables without policies
DO $$ BEGIN CREATE ROLE p_bypassing_admin; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$;
DO $$ BEGIN CREATE ROLE p_bypassing_owner; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$;
DO $$ BEGIN CREATE ROLE p_bypassing_group; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$;
DO $$ BEGIN CREATE ROLE p_bypassing_nothing; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$;
DO $$ BEGIN CREATE ROLE p_bypassing_bound; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$;
ALTER ROLE p_bypassing_admin LOGIN SUPERUSER;
ALTER ROLE p_bypassing_owner LOGIN SUPERUSER;
ALTER ROLE p_bypassing_group NOLOGIN BYPASSRLS;
ALTER ROLE p_bypassing_nothing LOGIN BYPASSRLS;
ALTER ROLE p_bypassing_bound LOGIN;
CREATE TABLE t (id int PRIMARY KEY);
ALTER TABLE t ENABLE ROW LEVEL SECURITY;
CREATE POLICY p ON t TO authenticated USING (id > 0);
CREATE TABLE u (id int PRIMARY KEY);
CREATE TABLE own (id int PRIMARY KEY);
ALTER TABLE own OWNER TO p_bypassing_owner;
GRANT SELECT ON t TO p_bypassing_owner, p_bypassing_group, p_bypassing_bound;
GRANT SELECT ON u TO p_bypassing_nothing;
