CREATE TABLE public.t (
    a int CONSTRAINT x NOT NULL,
    b int CONSTRAINT y NOT NULL,
    c int CONSTRAINT z NOT NULL
);
