CREATE TABLE public.teams (id int PRIMARY KEY, name text);
CREATE TABLE public.people (id int PRIMARY KEY, first text, "Last" text, team_id int, team_name text);
INSERT INTO public.teams SELECT n, 'team ' || n FROM generate_series(1, 3) AS n;
INSERT INTO public.people SELECT n, 'a' || n, 'b', 1 + n % 3 FROM generate_series(1, 1000) AS n;
