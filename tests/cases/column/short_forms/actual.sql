CREATE TABLE public.domains (id uuid PRIMARY KEY);
