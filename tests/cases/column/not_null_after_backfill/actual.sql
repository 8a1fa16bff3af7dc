CREATE TABLE public.teams (id int PRIMARY KEY, name text);
CREATE TABLE public.people (id int PRIMARY KEY, team_id int, team_name text);
INSERT INTO public.teams SELECT n, 'team ' || n FROM generate_series(1, 3) AS n;
INSERT INTO public.people SELECT n, 1 + n % 3 FROM generate_series(1, 1000) AS n;
