CREATE TABLE public.docs (id bigint PRIMARY KEY, owner name, body text);
ALTER TABLE public.docs ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON public.docs USING (owner = current_user);
