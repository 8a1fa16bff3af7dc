CREATE TYPE public.mood AS ENUM ('calm', 'cross');
CREATE TABLE public.guests (id int PRIMARY KEY);
INSERT INTO public.guests SELECT g FROM generate_series(1, 3) AS g;
