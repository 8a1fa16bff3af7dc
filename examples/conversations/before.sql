-- A multi-tenant chat product on a Supabase-like PostgreSQL, as it was before anything was declared.
--
-- Runs in an empty database, on PostgreSQL 14 and later, as a role that may create roles. It holds no psql command and
-- can be sent as one string. README.md says what is wrong with this schema, desired_state/ declares a better one.

-- The roles of requests. Roles belong to the whole server, so another session may have created them already or may be
-- creating them at this moment.
DO $$
DECLARE
  wanted text[] := ARRAY['anon', 'authenticated', 'service_role'];
  name text;
BEGIN
  FOREACH name IN ARRAY wanted LOOP
    BEGIN
      IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = name) THEN
        EXECUTE format(
          'CREATE ROLE %I NOLOGIN NOINHERIT %s', name,
          CASE name WHEN 'service_role' THEN 'BYPASSRLS' ELSE 'NOBYPASSRLS' END
        );
      END IF;
    EXCEPTION WHEN duplicate_object OR unique_violation THEN
      NULL;
    END;
  END LOOP;
END
$$;

-- The user of the current request.

CREATE SCHEMA auth;

CREATE TABLE auth.users (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  email text NOT NULL UNIQUE,
  created_at timestamptz NOT NULL DEFAULT now()
);

CREATE FUNCTION auth.uid() RETURNS uuid LANGUAGE sql STABLE AS $$
  SELECT CAST(
    coalesce(
      nullif(current_setting('request.jwt.claim.sub', true), ''),
      CAST(nullif(current_setting('request.jwt.claims', true), '') AS jsonb) ->> 'sub'
    ) AS uuid
  )
$$;

GRANT USAGE ON SCHEMA public, auth TO anon, authenticated, service_role;

-- The default of such projects: anonymous visitors may use everything that is created in public from here on, functions
-- and views included. Only row level security protects a table.
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT ALL ON TABLES TO anon, authenticated, service_role;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT ALL ON FUNCTIONS TO anon, authenticated, service_role;

-- The tenants.

CREATE TABLE public.organizations (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  name text NOT NULL,
  slug text NOT NULL UNIQUE,
  created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE public.organization_members (
  organization_id uuid NOT NULL REFERENCES public.organizations (id) ON DELETE CASCADE,
  user_id uuid NOT NULL REFERENCES auth.users (id) ON DELETE CASCADE,
  role text NOT NULL DEFAULT 'member' CHECK (role IN ('owner', 'admin', 'member')),
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (organization_id, user_id)
);

CREATE TABLE public.domains (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  domain text NOT NULL UNIQUE,
  organization_id uuid REFERENCES public.organizations (id) ON DELETE CASCADE,
  created_at timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX idx_organization_members_user_id ON public.organization_members (user_id);
CREATE INDEX idx_domains_organization_id ON public.domains (organization_id);

ALTER TABLE public.organizations ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.organization_members ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.domains ENABLE ROW LEVEL SECURITY;

CREATE POLICY organization_members_own ON public.organization_members FOR SELECT TO authenticated
  USING (user_id = (SELECT auth.uid()));

CREATE POLICY organizations_members ON public.organizations FOR SELECT TO authenticated
  USING (id IN (SELECT m.organization_id FROM public.organization_members AS m WHERE m.user_id = (SELECT auth.uid())));

CREATE POLICY domains_members ON public.domains FOR SELECT TO authenticated
  USING (
    organization_id IN (
      SELECT m.organization_id FROM public.organization_members AS m WHERE m.user_id = (SELECT auth.uid())
    )
  );

-- Conversations and messages. organization_id was added late: older rows have none.

CREATE TABLE public.conversations (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  domain_id uuid NOT NULL REFERENCES public.domains (id) ON DELETE CASCADE,
  session_id text NOT NULL,
  started_at timestamptz NOT NULL DEFAULT now(),
  ended_at timestamptz,
  metadata jsonb DEFAULT '{}',
  created_at timestamptz NOT NULL DEFAULT now(),
  organization_id uuid REFERENCES public.organizations (id) ON DELETE CASCADE
);

CREATE TABLE public.messages (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  conversation_id uuid NOT NULL REFERENCES public.conversations (id) ON DELETE CASCADE,
  role text NOT NULL CHECK (role IN ('user', 'assistant', 'system')),
  content text NOT NULL,
  metadata jsonb DEFAULT '{}',
  created_at timestamptz NOT NULL DEFAULT now(),
  organization_id uuid REFERENCES public.organizations (id) ON DELETE CASCADE
);

CREATE INDEX idx_conversations_domain_id ON public.conversations (domain_id);
CREATE INDEX idx_conversations_organization_id ON public.conversations (organization_id);
CREATE INDEX idx_conversations_session_id ON public.conversations (session_id);
CREATE INDEX idx_messages_conversation_id ON public.messages (conversation_id);
CREATE INDEX idx_messages_organization_id ON public.messages (organization_id);

ALTER TABLE public.conversations ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.messages ENABLE ROW LEVEL SECURITY;

-- Three generations of policies, all for PUBLIC, all evaluated on each read, none for writing.

CREATE POLICY "Domain isolation" ON public.conversations FOR SELECT
  USING (
    domain_id IN (
      SELECT d.id
      FROM public.domains AS d
      JOIN public.organization_members AS m ON m.organization_id = d.organization_id
      WHERE m.user_id = auth.uid()
    )
  );

CREATE POLICY "Users can view conversations for their customers" ON public.conversations FOR SELECT
  USING (
    EXISTS (
      SELECT
      FROM public.domains AS d
      JOIN public.organization_members AS m ON m.organization_id = d.organization_id
      WHERE d.id = conversations.domain_id AND m.user_id = auth.uid()
    )
  );

CREATE POLICY conversations_org_isolation ON public.conversations FOR SELECT
  USING (
    organization_id IN (
      SELECT m.organization_id FROM public.organization_members AS m WHERE m.user_id = auth.uid()
    )
  );

CREATE POLICY "Users can view messages for their customers" ON public.messages FOR SELECT
  USING (conversation_id IN (SELECT c.id FROM public.conversations AS c));

CREATE POLICY messages_org_isolation ON public.messages FOR SELECT
  USING (
    organization_id IN (
      SELECT m.organization_id FROM public.organization_members AS m WHERE m.user_id = auth.uid()
    )
  );
