CREATE TABLE public.teams (parent int, id serial PRIMARY KEY, name text NOT NULL CHECK (name <> ''));
CREATE TABLE public.people (id int PRIMARY KEY, team_id int NOT NULL REFERENCES public.teams ON DELETE CASCADE);
ALTER TABLE public.teams ADD FOREIGN KEY (parent) REFERENCES public.teams;
INSERT INTO public.teams (name, parent) SELECT 'team ' || n, nullif(n / 2, 0) FROM generate_series(1, 300) AS n;
INSERT INTO public.people SELECT n, 1 + n % 300 FROM generate_series(1, 1000) AS n;
CREATE INDEX teams_by_id ON public.teams (id DESC, name) WHERE name <> 'none';
CREATE INDEX people_team ON public.people (team_id);
CREATE STATISTICS public.teams_both ON id, parent FROM public.teams;
COMMENT ON COLUMN public.teams.id IS 'counted';
ALTER TABLE public.teams ALTER COLUMN id SET STATISTICS 500;
GRANT SELECT (id) ON public.teams TO PUBLIC;
ALTER TABLE public.teams ENABLE ROW LEVEL SECURITY;
CREATE POLICY visible ON public.teams USING (id > 0);
CREATE VIEW public.sizes AS
    SELECT t.id, count(*) AS people FROM public.teams AS t JOIN public.people AS p ON p.team_id = t.id GROUP BY t.id;
GRANT SELECT ON public.sizes TO PUBLIC;
