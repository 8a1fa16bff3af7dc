CREATE TABLE public.animals (name text DEFAULT 'nobody', legs integer, CONSTRAINT legs_count CHECK (legs >= 0));
CREATE TABLE public.cats (name text DEFAULT 'nobody', legs integer, lives integer, CONSTRAINT legs_count CHECK (legs >= 0));
