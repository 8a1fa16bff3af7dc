-- Organizations own conversations, and not only through their domains.
\set ON_ERROR_STOP on

BEGIN;

ALTER TABLE conversations ADD COLUMN IF NOT EXISTS organization_id UUID REFERENCES organizations(id);
ALTER TABLE conversations ADD COLUMN priority int NOT NULL DEFAULT 0 CHECK (priority BETWEEN 0 AND 9);
ALTER TABLE conversations ADD CONSTRAINT conversations_metadata_schema
  CHECK (metadata IS NULL OR jsonb_typeof(metadata) = 'object');

UPDATE conversations c SET organization_id = d.organization_id
FROM domains d WHERE d.id = c.domain_id;

ALTER TABLE conversations ALTER COLUMN organization_id SET NOT NULL;

/* one index /* at a time */ without a lock */
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_conversations_org_started_at
  ON conversations (organization_id, started_at DESC);
CREATE INDEX CONCURRENTLY idx_conversations_nobody ON conversations (nobody);

CREATE OR REPLACE FUNCTION get_user_organization_ids(p_user_id uuid) RETURNS uuid[]
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $body$
  SELECT coalesce(array_agg(om.organization_id), '{}'); -- no table: om
$body$;
CREATE FUNCTION next_priority(p int) RETURNS int LANGUAGE sql IMMUTABLE
BEGIN ATOMIC
  SELECT CASE WHEN p < 9 THEN p + 1 ELSE 9 END;
END;

ALTER TABLE conversations ENABLE ROW LEVEL SECURITY;
DROP POLICY IF EXISTS "Domain isolation" ON conversations;
CREATE POLICY conversations_select ON conversations FOR SELECT TO authenticated
  USING (organization_id IS NOT NULL);
ALTER TABLE messages RENAME COLUMN content TO body;
DROP INDEX CONCURRENTLY idx_conversations_organization_id;

COPY conversations (id) FROM STDIN;
1;
\.
COMMIT;
